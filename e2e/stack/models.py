"""QwenDeployments of the suites: made, watched and waited for."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import yaml

from e2e.demo.following import condition, is_ready
from e2e.stack.commands import ROOT, get

T = TypeVar("T")

NAMESPACE = "qwen-e2e"
GPUS = 2

PATIENCE_SECONDS = 60.0
"""How long suites wait, unless they say more: a loaded machine is slow, and not wrong."""


class Timeout(AssertionError):
    """Something that was waited for did not come; the text says what was seen last."""


def eventually(what: str, look: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """Wait until `look` returns something true; speeds are asserted by something else.

    Raises:
        Timeout: it did not; what it returned last is in the text.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {seconds:.0f} s; at last: {found!r}")
        time.sleep(0.3)


class Model:
    """A QwenDeployment of the tests' namespace."""

    def __init__(self, name: str) -> None:
        self.name = name

    def see(self) -> dict[str, Any]:
        """The resource as it stands."""
        found: dict[str, Any] = get("qwen", self.name, "-n", NAMESPACE)
        return found

    def ready(self) -> dict[str, Any]:
        """Its Ready condition."""
        return condition(self.see(), "Ready")

    def pods(self) -> list[dict[str, Any]]:
        """Its pods that are not being deleted."""
        selector = f"app.kubernetes.io/instance={self.name}"
        items = get("pods", "-n", NAMESPACE, "-l", selector)["items"]
        return [each for each in items if "deletionTimestamp" not in each["metadata"]]

    def children(self) -> dict[str, str]:
        """`Kind/name` → resourceVersion of everything that the operator made for it."""
        found = get(
            "configmaps,services,deployments",
            "-n",
            NAMESPACE,
            "-l",
            f"app.kubernetes.io/instance={self.name}",
        )["items"]
        return {
            f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"]
            for each in found
        }

    def wait_ready(self, seconds: float = 240) -> None:
        """Wait until it is Ready for its present spec."""
        seen: dict[str, Any] = {}

        def look() -> bool:
            seen.update(self.see())
            return is_ready(seen)

        try:
            eventually(f"{self.name} Ready", look, seconds)
        except Timeout as problem:
            raise Timeout(f"{problem}; its status: {seen.get('status')}") from problem

    def wait_reason(self, *reasons: str, seconds: float) -> dict[str, Any]:
        """Wait until it is not Ready for one of these reasons; the condition."""

        def look() -> dict[str, Any] | None:
            found = self.ready()
            return found if found.get("reason") in reasons else None

        return eventually(f"{self.name} not Ready because of {reasons}", look, seconds)


def document(name: str, **spec: object) -> dict[str, Any]:
    """The smallest example, under another name and with other settings."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "tiny-cpu.yaml").read_text())
    found["metadata"]["name"] = name
    for part, fields in spec.items():
        if isinstance(fields, dict):
            found["spec"].setdefault(part, {}).update(fields)
        else:
            found["spec"][part] = fields
    return found
