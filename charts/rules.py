"""Trivy's and Polaris' checks as data, over what the chart renders and what the operator makes.

Polaris is in no module proxy (`charts/polaris.py` asks one that somebody has), and Trivy takes
minutes to build (`charts/lint.py` runs it by hand); what they look for can be said in a line each
(`charts/linters/rules.yaml`). What is looked at is rendered already: the golden files of chart and
operator, so it takes no cluster.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import cel
import yaml

from charts.rendering import ROOT

Json = dict[str, Any]

_RULES: Final = ROOT / "charts" / "linters" / "rules.yaml"
CHARTS: Final = ROOT / "charts" / "tests" / "golden"
CASES: Final = ROOT / "operator" / "tests" / "unit" / "cases"
_WORKLOADS: Final = ("DaemonSet", "Deployment", "Job", "StatefulSet")
_INHERITED: Final = ("runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile", "seLinuxOptions")


class Finding(NamedTuple):
    """One rule that does not hold.

    Attributes:
        id: the first of the rule's names.
        of: whose object: operator, model or test.
        where: kind and name of the object, and the container.
    """

    id: str
    of: str
    where: str


@cache
def known() -> Json:
    """The rules, the excuses, and what is left to others."""
    found: Json = yaml.safe_load(_RULES.read_text(encoding="utf-8"))
    return found


def with_files() -> Iterator[tuple[Path, Json]]:
    """Every object of the golden files, and which file it is in."""
    for path in sorted([*CHARTS.glob("*.yaml"), *CASES.glob("*/children.yaml")]):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            bodies = document if isinstance(document, list) else filter(None, [document])
            yield from ((path, each) for each in bodies)


def rendered() -> Iterator[Json]:
    """Every object of the golden files."""
    return (body for _, body in with_files())


def is_whole(body: Json) -> bool:
    """Whether nothing is left out: in golden files a digest stands for what is long."""
    return not any(isinstance(body.get(key), str) for key in ("data", "spec"))


def _pod_of(body: Json) -> Json | None:
    if body["kind"] == "Pod":
        return dict(body["spec"])
    return body["spec"]["template"]["spec"] if body["kind"] in _WORKLOADS else None


def _effective(container: Json, pod: Json) -> Json:
    """A container with what it inherits."""
    given = pod.get("securityContext") or {}
    inherited = {key: given[key] for key in _INHERITED if key in given}
    return {**container, "securityContext": {**inherited, **container.get("securityContext", {})}}


def _subjects(body: Json) -> Iterator[tuple[str, str, Any]]:
    """What rules may speak of in an object: the kind of subject, its place, its value."""
    kind = body["kind"]
    place = f"{kind}/{body['metadata']['name']}"
    yield "object", place, body
    if is_whole(body):
        yield kind, place, body
    if kind in {"Role", "ClusterRole"}:
        yield from (("Rule", f"{place} {each['resources']}", each) for each in body["rules"])
    if kind in {"RoleBinding", "ClusterRoleBinding"}:
        yield "Binding", place, body
    if (pod := _pod_of(body)) is not None:
        yield "controller", place, body
        yield "pod", place, pod
        for each in [*pod.get("initContainers", ()), *pod["containers"]]:
            yield "container", f"{place} {each['name']}", _effective(each, pod)


def holds(must: str, subject: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether a rule's expression is true of something; what cannot be evaluated is not."""
    try:
        return bool(_program(must).execute(cel.Context(variables={"self": subject})))
    except (LookupError, RuntimeError, TypeError, ValueError):
        return False


@cache
def _program(expression: str) -> cel.Program:
    return cel.compile(expression)


def owner(body: Mapping[str, Any]) -> str:
    """Whose object it is: operator, model or test."""
    name = str(body["metadata"]["name"])
    if name.endswith("-test"):
        return "test"
    return "operator" if "qwen-operator" in name else "model"


def findings(bodies: Iterator[Json]) -> set[Finding]:
    """Every rule that does not hold somewhere."""
    return {
        Finding(rule["ids"][0], owner(body), where)
        for body in bodies
        for kind, where, subject in _subjects(body)
        for rule in known()["rules"]
        if rule["subject"] == kind and not holds(rule["must"], subject)
    }


def is_excused(finding: Finding) -> bool:
    """Whether somebody has a reason for it."""
    return any(
        finding.id in each["ids"] and finding.of in each["of"] for each in known()["excused"]
    )


def has_no_reason(finding: Finding) -> bool:
    """Whether it is neither excused, under whichever of its rule's names, nor left to others."""
    elsewhere = {name for each in known()["elsewhere"] for name in each["ids"]}
    same = (each["ids"][0] for each in known()["rules"] if finding.id in each["ids"])
    named = finding._replace(id=next(same, finding.id))
    return finding.id not in elsewhere and not is_excused(named)


def complaints(told: Iterable[Mapping[str, str]], bodies: Mapping[str, Json]) -> list[str]:
    """What Trivy itself finds, and nobody here has a reason for.

    Args:
        told: `id`, `file` and `text` of each finding.
        bodies: name of a file → the object in it.
    """
    return [
        f"{each['id']} {each['text']}"
        for each in told
        if has_no_reason(Finding(each["id"], owner(bodies[each["file"]]), each["file"]))
    ]
