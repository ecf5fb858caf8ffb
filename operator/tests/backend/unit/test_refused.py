"""Requests that are answered with an error are counted, whatever kind of error it is."""

from __future__ import annotations

import prometheus_client
import pytest

from qwen_triton.refusals import AsNvidiaSays, BadRequest, Cancelled, Refusal, Unavailable
from qwen_triton.refused import CAUSE_LABEL, SERIES, Refused


def kinds(of: type[Refusal] = Refusal) -> set[type[Refusal]]:
    return {of, *(kind for each in of.__subclasses__() for kind in kinds(each))}


@pytest.fixture(scope="module")
def refused() -> Refused:
    made = Refused()
    made.open()
    return made


def counted(cause: str) -> float:
    found = prometheus_client.REGISTRY.get_sample_value(f"{SERIES}_total", {CAUSE_LABEL: cause})
    return found or 0.0


CASES = [
    (Refusal("x"), "failed"),
    (BadRequest("field", "x"), "bad_request"),
    (AsNvidiaSays("field", "x"), "bad_request"),
    (Unavailable("x"), "unavailable"),
    (Cancelled("x"), "cancelled"),
]


@pytest.mark.parametrize(("refusal", "cause"), CASES)
def test_a_refusal_is_counted_under_whose_fault_it_is(
    refused: Refused, refusal: Refusal, cause: str
) -> None:
    before = counted(cause)
    refused.count(refusal)
    assert counted(cause) == before + 1


def test_no_kind_of_refusal_is_left_out() -> None:
    assert {type(refusal) for refusal, _ in CASES} == kinds()
