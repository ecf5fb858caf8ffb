"""What a client is told when its request cannot be served, and whose fault that is.

Refusal          a fault of ours (INTERNAL)
├── BadRequest   the client acts: the message opens with the field's name (INVALID_ARG)
│   └── AsNvidiaSays   the same, in the words of NVIDIA's backend
├── Unavailable  try again, here or elsewhere (UNAVAILABLE)
└── Cancelled    the client itself went away (CANCELLED)
"""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):
    """A request that is answered with an error.

    Attributes:
        code: Triton's name of the status.
    """

    code: ClassVar[str] = "INTERNAL"

    @property
    def words(self) -> str:
        """What Triton's clients read; where it is not their mistake, the status stands first.

        Triton 24.10 answers `generate` with 400 for every status (it reads an error's code after it
        has freed the error), and a gRPC stream carries a code only where the client asks for one.
        """
        return f"{self.code}: {self}"


class BadRequest(Refusal):
    """The request is wrong and will be wrong the next time, too."""

    code = "INVALID_ARG"

    @property
    def words(self) -> str:
        """What Triton's clients read."""
        return str(self)

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        super().__init__(f"{field}: {problem}")


class AsNvidiaSays(BadRequest):
    """A mistake that NVIDIA's backend knows, too: its clients compare the text, word for word."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(field, words)
        self.args = (words,)


class Unavailable(Refusal):
    """The request is fine, the server is not."""

    code = "UNAVAILABLE"


class Cancelled(Refusal):
    """The client went away."""

    code = "CANCELLED"
