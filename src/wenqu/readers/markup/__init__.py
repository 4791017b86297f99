"""Text: plain, marked up, structured, and program source; books made of it."""
