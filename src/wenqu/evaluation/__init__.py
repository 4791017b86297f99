"""How good what is served is: data sets and questions, runs, metrics, reports, tuning."""
