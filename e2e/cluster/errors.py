"""The one error that the cluster's commands end with, in words for the person who ran them."""


class ClusterError(Exception):
    """What was attempted, on what, what was answered, and what to do next."""
