"""What was there when a test failed: what resources and pods say, and the operators' last words."""

from collections.abc import Iterator

from tests.integration.api import PODS, QWENS, Api, Json
from tests.integration.process import OperatorProcess

_OPERATORS, _LINES = 2, 40
_EVERYWHERE = "namespaces/{}/"


def _all(api: Api, folder: str) -> list[Json]:
    """Objects of a kind in all namespaces of tests."""
    found: list[Json] = api.call("GET", folder.replace(_EVERYWHERE, ""))["items"]
    return [each for each in found if each["metadata"]["namespace"].startswith("qwen-test-")]


def _name(body: Json) -> str:
    return f"{body['metadata']['namespace']}/{body['metadata']['name']}"


def _conditions(body: Json) -> Iterator[str]:
    for each in body.get("status", {}).get("conditions") or ():
        words = f"{each['type']}={each['status']} {each.get('reason', '')}"
        yield f"{words}: {each['message']}" if each.get("message") else words


def scene(api: Api) -> str:
    """As lines for a person."""
    lines = []
    for body in _all(api, QWENS):
        seen = body.get("status", {}).get("observedGeneration")
        lines.append(f"{_name(body)}: generation {body['metadata']['generation']}, seen {seen}")
        lines += [f"    {each}" for each in _conditions(body)]
    for body in _all(api, PODS):
        phase = body.get("status", {}).get("phase")
        lines.append(f"pod {_name(body)}: {phase}; " + "; ".join(_conditions(body)))
    for operator in OperatorProcess.made[-_OPERATORS:]:
        ended = operator.process.poll()
        lines.append(f"operator {operator.process.pid}, exit status {ended}, said at last:")
        lines += [f"    {each}" for each in operator.log.splitlines()[-_LINES:]]
    return "\n".join(lines)
