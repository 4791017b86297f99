"""How good retrieval and refusing are, measured on what is served: data sets, metrics, reports."""
