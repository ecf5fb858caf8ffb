"""What the command line cannot do, each with its exit code."""

from qwen_operator.errors import OperatorError
from qwenctl.exits import Exit


class NoCluster(OperatorError):
    """No kubeconfig, no answer, or no permission."""

    code = Exit.CLUSTER


class Missing(OperatorError):
    """The cluster does not have what was named."""

    code = Exit.MISSING


class ModelError(OperatorError):
    """The model was asked, and refused or failed."""

    code = Exit.NO
