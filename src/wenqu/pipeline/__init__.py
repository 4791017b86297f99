"""What happens to a document and to a question: ingest, project, retrieve, gate, answer."""
