"""Everything that is wrong with one document."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.api.resource import read_resource
from qwen_operator.compat.images import FAMILIES, is_at_least
from qwen_operator.desired.arguments import engine
from qwen_operator.desired.children import desired
from qwen_operator.desired.pod import image
from qwen_operator.desired.repository import backend_files
from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.answer import answer
from qwen_operator.fit.devices import Gpu
from qwen_operator.fit.judging import Verdict, judge
from qwen_operator.fit.request import plan_of, shape_of
from qwen_operator.settings import Settings
from qwenctl.checks.findings import Finding, Origin, Severity, Where
from qwenctl.checks.metadata import wrong_metadata
from qwenctl.checks.rules import broken
from qwenctl.checks.schema import SPEC
from qwenctl.checks.structure import as_rules_read, violations, with_defaults, without_nulls
from qwenctl.documents import Document
from qwenctl.files import with_identity

_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_SENTENCES = re.compile(r"; (?=spec[.\[])")
_PLACE = re.compile(r"spec(?:\.[A-Za-z_][A-Za-z0-9_]*|\[\d+\])+")


def _top(body: Mapping[str, Any]) -> Iterator[Finding]:
    for name in body:
        if name not in _TOP:
            words = f"{name}: unknown field; known: {', '.join(_TOP)}"
            yield Finding((name,), words, Origin.api_server)
    if body.get("apiVersion") != naming.API_VERSION:
        given = body.get("apiVersion")
        words = f"apiVersion: {given!r} is not known here; {naming.API_VERSION} is"
        yield Finding(("apiVersion",), words, Origin.api_server)
    if "spec" not in body:
        yield Finding(("spec",), "spec: is required and missing", Origin.api_server)


def _placed(words: str, severity: Severity = Severity.error) -> Finding:
    """A sentence of the operator's, at the field that it names first."""
    found = _PLACE.search(words)
    where: Where = ()
    if found is not None:
        parts = re.findall(r"\.?([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]", found[0])
        where = tuple(int(number) if number else name for name, number in parts)
    return Finding(where, words, Origin.operator, severity)


def _operator(body: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    """What the operator itself would refuse once the API server has let it pass."""
    try:
        resource = read_resource(with_identity(body))
    except InvalidSpec as problem:
        yield from map(_placed, _SENTENCES.split(str(problem)))
        return
    try:
        desired(resource, settings, backend_files({"model.py": ""}))
    except InvalidSpec as problem:
        yield from map(_placed, _SENTENCES.split(str(problem)))


def _memory(body: Mapping[str, Any], gpu: Gpu, settings: Settings) -> Iterator[Finding]:
    """Whether it fits a GPU that was named beside the file."""
    resource = read_resource(with_identity(body))
    spec = resource.spec
    if spec.resources.gpus == 0:
        return
    version = engine(resource, image(resource, settings)).version
    try:
        plan = plan_of(spec, shape_of(spec), gpu, version)
    except InvalidSpec as problem:
        words = f"whether it fits {gpu.name} cannot be computed: {problem}"
        yield Finding(("spec",), words, Origin.memory, Severity.warning)
        return
    for each in answer(plan).why_not:
        words = f"spec: does not fit {gpu.name}: {each} (qwenctl fit says what would)"
        yield Finding(("spec",), words, Origin.memory)


def _judged(body: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    """Whether it fits where the file itself says that the pods run, as the operator judges it."""
    resource = read_resource(with_identity(body))
    version = engine(resource, image(resource, settings)).version
    found = judge(resource.spec, version, settings.gpu_product)
    if found is None or found.verdict is Verdict.FITS:
        return
    skipped = resource.spec.engine.skip_fit_check
    refused = found.verdict is Verdict.DOES_NOT_FIT and not skipped
    unknown = found.verdict is Verdict.UNKNOWN
    told = "whether it fits is not known" if unknown else "does not fit"
    near = f"; it would with {found.instead[0].change}" if found.instead else ""
    severity = Severity.error if refused else Severity.warning
    yield Finding(("spec",), f"spec: {told}: {found.message}{near}", Origin.memory, severity)


def _family(body: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    """A model that is newer than the image's vLLM."""
    resource = read_resource(with_identity(body))
    version = engine(resource, image(resource, settings)).version
    name = resource.spec.model.source.rsplit("/", 1)[-1]
    for family, first in FAMILIES.items():
        if version is None or not re.match(rf"{re.escape(family)}-", name):
            continue
        if not is_at_least(version, first):
            words = f"spec.triton.image: {family} asks for vLLM {first}, the image has {version}"
            where = ("spec", "triton", "image")
            yield Finding(where, words, Origin.operator, Severity.warning)


def _spec(body: Mapping[str, Any], settings: Settings, gpu: Gpu | None) -> Iterator[Finding]:
    """What is wrong with the spec: first the schema's types, then its rules, then the operator."""
    spec = without_nulls(SPEC, body["spec"])
    rules = list(violations(SPEC, spec, ("spec",)))
    if not any(each.blocking for each in rules):
        stored = with_defaults(SPEC, spec)
        rules += broken(SPEC, as_rules_read(SPEC, stored), ("spec",))
    yield from rules
    if any(each.blocking for each in rules):
        return
    whole = {**body, "spec": spec}
    # The operator repeats some rules, in case a resource was stored under an older schema.
    told = [each.where for each in rules]
    refused = [
        each
        for each in _operator(whole, settings)
        if not any(each.where[: len(where)] == where for where in told if len(where) > 1)
    ]
    yield from refused
    if not rules and not refused:
        yield from _family(whole, settings)
        yield from _judged(whole, settings) if gpu is None else _memory(whole, gpu, settings)


def check(document: Document, settings: Settings, gpu: Gpu | None = None) -> list[Finding]:
    """Everything that is wrong with a document of our kind, in the order of its lines.

    Args:
        document: as it was read.
        settings: the operator's, for its default images.
        gpu: that its pods would get, to compute whether it fits.
    """
    body = document.body
    found = [
        Finding(where, f"{where[-1]}: stands twice; the second one counts", Origin.yaml)
        for where, _ in document.repeated
    ]
    wrong = list(wrong_metadata(body))
    found += [*_top(body), *wrong]
    if "spec" in body:
        # A name that is wrong, or that the API server will make, hides nothing of the spec.
        named = not wrong and body["metadata"].get("name")
        metadata = body["metadata"] if named else {"name": "name"}
        found += _spec({**body, "metadata": metadata}, settings, gpu)
    return sorted(found, key=lambda each: document.line_of(each.where))
