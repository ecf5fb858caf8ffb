"""Every error that the control plane raises on purpose, by who has to act.

OperatorError
├── InvalidSpec    the author of the resource acts; a retry changes nothing
├── Refused        an administrator acts: permission, quota, admission, a name taken by others
├── Gone           the object left, or is not the one we meant; the next event tells more
├── Unreachable    nobody acts; the same call may work in a moment
└── Postponed      nothing failed; the rest of the pass is to be done at a time that is known

Touching modules convert what libraries raise into these once; nobody above them sees another kind.
"""


class OperatorError(Exception):
    """Something that the control plane foresaw; its text is fit for a condition's message."""


class InvalidSpec(OperatorError):
    """The resource asks for something impossible; the text names the field and what is allowed."""


class Refused(OperatorError):
    """The API server understood and said no: forbidden, over quota, invalid, or taken."""


class Gone(OperatorError):
    """The object does not exist any more, or a precondition on its uid did not hold."""


class Unreachable(OperatorError):
    """No answer, a server's error, or a request to slow down: retry with back-off.

    Attributes:
        retry_after: seconds that the server asked to wait, or None.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Postponed(OperatorError):
    """Part of a pass waits on purpose.

    Attributes:
        seconds: until it is to be tried.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds
