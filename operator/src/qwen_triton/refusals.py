"""What a client is told when its request cannot be served, and whose fault that is.

Refusal
├── BadRequest   the client acts: the message opens with the field's name (INVALID_ARG, 400)
├── Unavailable  try again, here or elsewhere (UNAVAILABLE, 503)
└── Cancelled    the client itself went away (CANCELLED)
"""

from __future__ import annotations


class Refusal(Exception):
    """A request that is answered with an error."""


class BadRequest(Refusal):
    """The request is wrong and will be wrong the next time, too."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        super().__init__(f"{field}: {problem}")


class Unavailable(Refusal):
    """The request is fine, the server is not."""


class Cancelled(Refusal):
    """The client went away."""
