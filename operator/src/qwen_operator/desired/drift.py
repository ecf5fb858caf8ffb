"""Whether a live object already is what we want: then nothing is written."""

from collections.abc import Mapping
from typing import Any

from qwen_operator.api.quantities import amount

# Before "name": a volume may be mounted at several paths.
_MERGE_KEYS = ("mountPath", "name", "containerPort", "port", "key", "uid", "type")
_AMOUNT_FIELDS = {"requests", "limits", "sizeLimit"}


def _same_amounts(live: Any, wanted: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Amounts by what they mean: the API server writes 1024Mi as 1Gi and 0.5 as 500m."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            _same_amounts(live.get(key), value) for key, value in wanted.items()
        )
    if live == wanted:
        return True
    if not isinstance(live, str) or not isinstance(wanted, str):
        return False
    mine = amount(live)
    return mine is not None and mine == amount(wanted)


def _merge_key(items: list[Any]) -> str | None:
    """The field that tells the elements of a list apart, if there is one."""
    if not items or not all(isinstance(each, Mapping) for each in items):
        return None
    for key in _MERGE_KEYS:
        values = [each.get(key) for each in items]
        if all(isinstance(value, str | int) for value in values):
            return key if len(set(values)) == len(values) else None
    return None


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


def _field_holds(live: Mapping[str, Any], key: str, value: Any) -> bool:  # noqa: ANN401 - JSON
    if key not in live:
        return value in ({}, [])
    mine = live[key]
    # Most of what is compared is the very same.
    return mine == value or (_same_amounts if key in _AMOUNT_FIELDS else holds)(mine, value)


def holds(live: Any, wanted: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether every field that we want has our value in the live object.

    Fields that we do not set (the API server's defaults, other managers' additions) do not count.
    """
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            _field_holds(live, key, value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return _list_holds(live, wanted)
    return bool(live == wanted)


def reclaimed(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The merge patch by which a Service gets back ports that somebody renumbered, if needed.

    Server-side apply tells ports apart by number: an edited one would stay beside ours under the
    same name, and the API server refuses two ports of one name.
    """
    ports = wanted.get("spec", {}).get("ports") or ()
    ours = {each["name"]: each["port"] for each in ports}
    theirs = live.get("spec", {}).get("ports") or ()
    if all(ours.get(each.get("name"), each["port"]) == each["port"] for each in theirs):
        return None
    seen = {"resourceVersion": live["metadata"]["resourceVersion"]}
    return {"metadata": seen, "spec": {"ports": list(ports)}}
