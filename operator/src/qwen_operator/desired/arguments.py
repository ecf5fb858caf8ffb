"""Engine arguments: what is allowed, and what the image's vLLM takes, before any pod starts."""

from collections.abc import Iterator

from qwen_operator.api.resource import Resource
from qwen_operator.compat.arguments import Engine, complaint, engine_of, value_complaint
from qwen_operator.compat.refusals import RESERVED, refusal
from qwen_operator.desired.repository import model_json
from qwen_operator.errors import InvalidSpec
from qwen_operator.settings import Settings


def check_allowed(resource: Resource, settings: Settings, image: str) -> None:
    """Check that spec.engine.extraArgs holds nothing that is ours, or opens the pod.

    Raises:
        InvalidSpec: names each argument that may not stand there, and what else is wrong.
    """
    remote_code = settings.allow_trust_remote_code
    refused = {
        name: why
        for name, value in sorted(resource.spec.engine.extra_args.items())
        if (why := refusal(name, value, remote_code=remote_code)) is not None
    }
    if refused:
        told = [f"spec.engine.extraArgs.{name}: {why}" for name, why in refused.items()]
        told += [each for name, each in _complaints(resource, image) if name not in refused]
        raise InvalidSpec("; ".join(told))


def engine(resource: Resource, image: str) -> Engine:
    """The vLLM that pods of an image would run."""
    return engine_of(image, resource.spec.triton.vllm_version)


def _complaints(resource: Resource, image: str) -> Iterator[tuple[str, str]]:
    """Argument, and what the image's vLLM has against it."""
    extra, mine = resource.spec.engine.extra_args, engine(resource, image)
    for name, value in sorted(model_json(resource).items()):
        why = complaint(name, mine) if name in extra else None
        if why is None:
            why = value_complaint(name, value, mine)
        if why is not None:
            field = f"spec.engine.extraArgs.{name}" if name in extra else RESERVED[name]
            yield name, f"{field}: {why}"


def check_arguments(resource: Resource, image: str) -> None:
    """Check the names in spec.engine.extraArgs and the values of all engine arguments.

    Args:
        resource: what to serve.
        image: the image that its pods would run.

    Raises:
        InvalidSpec: names each argument that the image's vLLM does not take, and what was meant.
    """
    if found := [each for _, each in _complaints(resource, image)]:
        raise InvalidSpec("; ".join(found))
