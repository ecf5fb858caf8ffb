"""Whether a live object already is what we want: then nothing is written."""

from collections.abc import Mapping
from typing import Any

_MERGE_KEYS = ("name", "containerPort", "port", "mountPath", "key", "uid", "type")


def _merge_key(items: list[Any]) -> str | None:
    if not items or not all(isinstance(each, Mapping) for each in items):
        return None
    return next((key for key in _MERGE_KEYS if all(key in each for each in items)), None)


def _list_holds(live: Any, wanted: list[Any]) -> bool:  # noqa: ANN401 - any JSON value
    if not isinstance(live, list):
        return not wanted and live is None
    key = _merge_key(wanted)
    if key is None:
        return len(live) == len(wanted) and all(
            holds(mine, theirs) for mine, theirs in zip(live, wanted, strict=True)
        )
    # An element that somebody else added (a sidecar, say) is theirs: no fight over it.
    found = {each.get(key): each for each in live if isinstance(each, Mapping)}
    return all(each[key] in found and holds(found[each[key]], each) for each in wanted)


def holds(live: Any, wanted: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether every field that we want has our value in the live object.

    Fields that we do not set (the API server's defaults, other managers' additions) do not count.
    """
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            (key in live and holds(live[key], value)) or (value in ({}, []) and key not in live)
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return _list_holds(live, wanted)
    return bool(live == wanted)
