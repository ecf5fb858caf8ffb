"""Plans: what was computed once is not computed again, however many resources there are."""

from typing import Any

import pytest

from qwen_operator.desired.repository import backend_files
from qwen_operator.reconcile import plans
from qwen_operator.reconcile.plans import Plans
from qwen_operator.settings import Settings

BACKEND = backend_files({"model.py": "# backend\n"})


def body(number: int, generation: int = 1) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"qwen-{number}",
            "namespace": "models",
            "uid": f"uid-{number}",
            "generation": generation,
        },
        "spec": {
            "model": {"source": "hf://Qwen/Qwen1.5-1.8B-Chat"},
            "engine": {"maxNumSeqs": generation},
        },
    }


def test_a_plan_that_was_put_away_is_the_one_that_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Plans(Settings(), BACKEND)
    first = [made.plan(body(number), {}) for number in range(100)]
    monkeypatch.setattr(plans, "rendered", lambda *_: pytest.fail("rendered anew"))
    again = [made.plan(body(number), {}) for number in range(100)]
    assert again == first
    assert all(each.shared is first[0].shared for each in again)


def test_a_changed_spec_is_never_served_with_the_plan_of_the_one_before() -> None:
    made = Plans(Settings(), BACKEND)
    for number in range(100):
        made.plan(body(number), {})
    changed = made.plan(body(0, generation=2), {})
    assert changed.resource.generation == 2
    assert changed == Plans(Settings(), BACKEND).plan(body(0, generation=2), {})
