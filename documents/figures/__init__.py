"""The pictures of the documentation, made from code: `python -m documents.generate` writes them."""
