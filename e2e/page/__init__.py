"""The operator's fleet page in a real browser: its tests and its pictures."""
