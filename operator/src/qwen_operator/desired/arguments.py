"""spec.engine.extraArgs against the vLLM of the image, before any pod starts."""

from qwen_operator.api.resource import Resource
from qwen_operator.compat.arguments import complaint
from qwen_operator.errors import InvalidSpec


def check_arguments(resource: Resource, image: str) -> None:
    """Check every key of spec.engine.extraArgs.

    Args:
        resource: what to serve.
        image: the image that its pods would run.

    Raises:
        InvalidSpec: names each key that the image's vLLM does not take, and what was meant.
    """
    found = [
        f"spec.engine.extraArgs.{name}: {why}"
        for name in sorted(resource.spec.engine.extra_args)
        if (why := complaint(name, image)) is not None
    ]
    if found:
        raise InvalidSpec("; ".join(found))
