"""The documentation as a program sees it: its code blocks, its links, its figures and its site."""
