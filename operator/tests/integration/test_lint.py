"""`qwenctl lint` and the API server say the same of a resource, offline and online."""

import json
import os

from hypothesis import HealthCheck, given, settings

from qwen_operator.settings import Settings
from qwenctl.checks.findings import Finding, Origin, dotted
from qwenctl.checks.resource import check
from qwenctl.documents import documents
from tests.integration.api import QWENS, Api, Json, Problem
from tests.unit.mutations import bodies

EXAMPLES = int(os.environ.get("EXAMPLES", "400"))
"""The same each time, so that nobody is surprised; with EXAMPLES set, others each time."""

STRICT = "?dryRun=All&fieldValidation=Strict"


def refusal(api: Api, body: Json) -> Problem | None:
    """What the API server says against it; None where it takes the resource."""
    try:
        api.call("POST", QWENS.format("default") + STRICT, body)
    except Problem as problem:
        return problem
    return None


def found(body: Json) -> list[Finding]:
    """What lint says that the API server would say."""
    (document,) = documents(json.dumps(body), "a file")
    return [each for each in check(document, Settings()) if each.origin is Origin.api_server]


def is_told(field: str, told: set[str]) -> bool:
    """Whether lint names a field that the API server names, or one above or below it."""
    return any(each.startswith(field) or field.startswith(each) for each in told)


@settings(
    max_examples=EXAMPLES,
    derandomize="EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(bodies())
def test_a_resource_is_refused_by_both_or_by_neither_and_for_the_same_fields(
    api: Api, body: Json
) -> None:
    said, told = refusal(api, body), found(body)
    assert bool(said) == bool(told), f"{said or 'taken'}\nlint: {[each.message for each in told]}"
    if said is None:
        return
    # Owners are named without their number there, and the scale subresource with a dot in front.
    ours = {dotted(each.where).replace("[0]", "") for each in told}
    theirs = {field.replace("[0]", "").lstrip(".") for field in said.fields}
    missed = {field for field in theirs - {"", "<nil>"} if not is_told(field, ours)}
    assert not missed, f"{said}\nlint: {[each.message for each in told]}"
