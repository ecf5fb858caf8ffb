"""Commands that ask a cluster: what touches it stands in connection.py, the rest is pure."""
