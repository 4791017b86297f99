"""Pure functions on text: normalise, detect the language, tokenise, cut into sentences and chunks.

Nothing here does I/O or knows of an engine; every function may be called from any thread.
"""
