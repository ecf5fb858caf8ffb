"""The pictures of the documentation, made from code: `python -m docsite.generate` writes them."""
