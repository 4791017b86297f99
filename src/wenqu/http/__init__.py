"""The HTTP door: a JSON API, answers as server-sent events, and one web page."""
