"""What is asked of kopf: the resources alone, nothing in threads, no copies."""

import inspect
from typing import Any

import kopf

from qwen_operator.cluster.protocol import QWEN
from qwen_operator.handlers.watches import _registry, _settings


def test_kopf_watches_the_resources_and_nothing_else() -> None:
    handlers = _registry(lambda _kind, _body: None)._watching._handlers
    (selector,) = [each.selector for each in handlers]
    assert selector is not None
    assert (selector.group, selector.version, selector.any_name) == (
        QWEN.group,
        QWEN.version,
        QWEN.plural,
    )


def test_kopf_runs_no_handler_in_a_thread() -> None:
    told: list[Any] = []
    handlers = _registry(lambda kind, body: told.append((kind, body)))._watching._handlers
    assert handlers
    assert all(inspect.iscoroutinefunction(each.fn) for each in handlers)


def test_kopf_keeps_no_copy_of_an_object_to_compare_with() -> None:
    storage = _settings().persistence.diffbase_storage
    body = kopf.Body({"metadata": {"name": "a"}, "spec": {"replicas": 1}})
    assert storage.build(body=body) == {}
    assert storage.fetch(body=body) is None
