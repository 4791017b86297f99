"""The truth: a database of documents, chunks and embeddings, and a folder of original files."""
