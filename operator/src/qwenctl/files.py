"""Reading files: the QwenDeployments that they hold, typed."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qwen_operator import naming
from qwen_operator.api.resource import Resource, read_resource
from qwen_operator.errors import InvalidSpec
from qwenctl.checks.findings import Finding
from qwenctl.checks.schema import SPEC
from qwenctl.checks.structure import violations, without_nulls
from qwenctl.documents import Document, documents, is_ours


def read_text(file: Path) -> str:
    """A file's text; `-` is standard input."""
    return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")


def with_identity(body: Mapping[str, Any], namespace: str = "default") -> dict[str, Any]:
    """The body as the API server would store it: with a namespace and a uid."""
    metadata = {"namespace": namespace, **(body.get("metadata") or {})}
    metadata.setdefault("uid", "00000000-0000-0000-0000-000000000000")
    return {**body, "metadata": metadata}


def resources(file: Path, namespace: str = "default") -> Iterator[Resource]:
    """Every QwenDeployment of a file.

    Raises:
        InvalidSpec: not YAML, none of our kind, another version, or not a valid one.
    """
    seen = 0
    for each in documents(read_text(file), str(file)):
        if not is_ours(each.body):
            continue
        seen += 1
        yield read_body(each, str(file), namespace)
    if not seen:
        raise InvalidSpec(f"{file} holds no {naming.KIND} (kind: {naming.KIND})")


def _violations(spec: object) -> list[Finding]:
    """What the schema does not allow, in the words of `qwenctl lint`."""
    return list(violations(SPEC, spec, ("spec",)))


def read_body(found: Document, name: str, namespace: str) -> Resource:
    """One document as a resource.

    Raises:
        InvalidSpec: of another version, without a name, or not a valid spec.
    """
    body = found.body
    where = f"{name}, line {found.line}"
    if body.get("apiVersion") != naming.API_VERSION:
        raise InvalidSpec(
            f"{where}: apiVersion {body.get('apiVersion')!r} is not known here; this program knows"
            f" {naming.API_VERSION}"
        )
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise InvalidSpec(f"{where}: metadata.name is missing")
    spec = without_nulls(SPEC, body.get("spec"))
    wrong = [f"{name}:{found.line_of(each.where)}: {each.message}" for each in _violations(spec)]
    if wrong:
        raise InvalidSpec("\n  ".join(wrong))
    try:
        return read_resource(with_identity({**body, "spec": spec}, namespace))
    except InvalidSpec as problem:
        raise InvalidSpec(f"{where}: {problem} (qwenctl lint {name} says more)") from problem
