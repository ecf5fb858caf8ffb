"""The watches: the only use of kopf, and only to be told that something changed."""
