"""Exit codes, for scripts; docs/qwenctl.md lists them from here."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code means."""

    OK = 0
    NO = 1
    USAGE = 2
    CLUSTER = 3
    MISSING = 4
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS = {
    Exit.OK: "done, and the answer is yes: it fits, nothing is wrong",
    Exit.NO: "done, and the answer is no: it does not fit, something is wrong",
    Exit.USAGE: "not done: an option, a file or what it holds is not understood",
    Exit.CLUSTER: "not done: no kubeconfig, no answer from the API server, or no permission",
    Exit.MISSING: "not done: the cluster does not have what was named",
    Exit.INTERRUPTED: "Ctrl-C",
    Exit.BROKEN_PIPE: "whoever read the output went away",
}
