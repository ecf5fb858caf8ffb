"""What the watches ask of kopf: everything filtered by the server, nothing in threads."""

import inspect
from typing import Any

import kopf

from qwen_operator.cluster.protocol import WATCHED
from qwen_operator.handlers.watches import _registry, _settings
from qwen_operator.naming import MANAGED_SELECTOR


def test_children_are_selected_by_the_api_server() -> None:
    chosen = _settings().watching.label_selectors
    wanted = {(kind.group, kind.version, kind.plural) for kind in WATCHED}
    assert {place for place in wanted if chosen.get(place) == MANAGED_SELECTOR} == wanted
    assert len(chosen) == len(wanted), "QwenDeployments carry no label of ours"


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
