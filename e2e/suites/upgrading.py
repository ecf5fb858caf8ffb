"""An upgrade of the chart, seen from its users: clients, and whoever owns resources and pods."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from e2e.stack import clients
from e2e.stack.commands import get
from e2e.stack.installation import DEFINITION, RELEASE
from e2e.stack.installation import NAMESPACE as OPERATOR_NAMESPACE
from e2e.stack.models import NAMESPACE, Model, eventually

_AFTER_FAILURE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Sight:
    """What must not change.

    Attributes:
        pods: name → uid and number of restarts.
        resource: uid, generation and spec of the QwenDeployment.
        definition: uid of its definition.
    """

    pods: dict[str, tuple[str, int]]
    resource: tuple[str, int, dict[str, Any]]
    definition: str


@dataclass(slots=True)
class Upgrade:
    """Before, after, and what clients got meanwhile."""

    before: Sight
    after: Sight
    answers: int = 0
    failures: list[str] = field(default_factory=list)


def sight(model: Model) -> Sight:
    """What there is now."""
    body = model.see()
    metadata = body["metadata"]
    return Sight(
        {
            pod["metadata"]["name"]: (
                pod["metadata"]["uid"],
                sum(each["restartCount"] for each in pod["status"]["containerStatuses"]),
            )
            for pod in model.pods()
        },
        (metadata["uid"], metadata["generation"], body["spec"]),
        get(DEFINITION)["metadata"]["uid"],
    )


def is_part(small: Any, large: Any) -> bool:
    """Whether a value says nothing that another one does not say likewise."""
    if isinstance(small, dict) and isinstance(large, dict):
        return all(key in large and is_part(each, large[key]) for key, each in small.items())
    return bool(small == large)


def _leader() -> str:
    spec = get("lease", RELEASE, "-n", OPERATOR_NAMESPACE)["spec"]
    return str(spec.get("holderIdentity") or "")


def watched(model: Model, change: Callable[[], object]) -> Upgrade:
    """Make a change while a client keeps asking the model; wait until another operator leads."""
    seen = Upgrade(sight(model), sight(model))
    base = f"http://{clients.service_address(model.name, NAMESPACE)}:8000"
    done, leader = threading.Event(), _leader()

    def ask() -> None:
        while not done.is_set():
            try:
                clients.generate(base, model.name, {"prompt": "Hi"})
                seen.answers += 1
            except OSError as problem:
                seen.failures.append(str(problem))
                done.wait(_AFTER_FAILURE_SECONDS)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        change()
        eventually("another operator leads", lambda: _leader() not in {"", leader})
        model.wait_ready()
    finally:
        done.set()
        thread.join()
    seen.after = sight(model)
    return seen
