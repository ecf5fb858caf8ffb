"""Following a QwenDeployment until it is Ready, in the status' own words."""

import time
from typing import Any

from rich.console import Console
from rich.status import Status

from e2e.stack.commands import CommandError, get

_POLL_SECONDS = 1.0


def condition(resource: dict[str, Any], kind: str) -> dict[str, Any]:
    """One condition of a resource, or an empty one while its status says nothing of it."""
    conditions: list[dict[str, Any]] = resource.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def is_ready(resource: dict[str, Any]) -> bool:
    """Ready, and for the spec as it stands."""
    ready = condition(resource, "Ready")
    current = ready.get("observedGeneration") == resource["metadata"]["generation"]
    return ready.get("status") == "True" and current


def follow(console: Console, name: str, seconds: float, namespace: str = "default") -> float:
    """Show what the status says, each new thing on a line of its own, until Ready.

    Returns:
        The seconds that it took.

    Raises:
        CommandError: it was not Ready in time; with the last words.
    """
    started = time.monotonic()
    said = ""
    with Status("waiting for the operator", console=console) as display:
        while (took := time.monotonic() - started) < seconds:
            resource = get("qwen", name, "-n", namespace)
            ready = condition(resource, "Ready")
            words = f"{ready.get('reason', 'Pending')}: {ready.get('message', 'no status yet')}"
            display.update(f"{took:4.0f} s  {words}")
            if words != said:
                console.print(f"  {took:4.0f} s  {words}", highlight=False, markup=False)
                said = words
            if is_ready(resource):
                return took
            time.sleep(_POLL_SECONDS)
    raise CommandError(f"{name} was not Ready within {seconds:.0f} s; its status says: {said}")
