"""What an event asks for: what users want at once, what happens to pods gathered for a moment."""

import asyncio

from qwen_operator.__main__ import Operator
from qwen_operator.naming import OWNER_ANNOTATION, Key
from qwen_operator.settings import Settings
from tests.unit.stand_ins import resource_body

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "p",
        "namespace": "models",
        "uid": "p",
        "resourceVersion": "7",
        "annotations": {OWNER_ANNOTATION: "qwen"},
    },
}


async def test_a_changed_resource_is_due_at_once() -> None:
    operator = Operator(Settings(), asyncio.get_running_loop())
    operator._take("MODIFIED", resource_body())
    assert operator._queue._pop()[0] == Key("models", "qwen")


async def test_what_happens_to_a_pod_waits_for_more_but_not_for_ever() -> None:
    operator = Operator(Settings(), asyncio.get_running_loop())
    operator._take("MODIFIED", POD)
    key, wait = operator._queue._pop()
    assert key is None
    assert wait is not None
    assert 0 < wait <= 1
    operator._take("MODIFIED", resource_body())
    assert operator._queue._pop()[0] == Key("models", "qwen"), "a wish overtakes what happened"
