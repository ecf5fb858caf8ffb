"""What applying a file would change, and what the operator would then do: pure."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qwen_operator.api.resource import Resource, read_resource
from qwen_operator.desired.children import desired
from qwen_operator.desired.repository import Files
from qwen_operator.errors import InvalidSpec
from qwen_operator.settings import Settings
from qwenctl.checks.rules import changed_though_fixed
from qwenctl.checks.schema import SPEC
from qwenctl.checks.structure import with_defaults, without_nulls

Json = dict[str, Any]
Where = tuple[str, ...]

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One field that a file changes.

    Attributes:
        where: path below the resource.
        before: live, None where it was not set.
        after: in the file, None where it would not be set.
        restarts: pods are replaced because of it.
    """

    where: Where
    before: Any
    after: Any
    restarts: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """What applying a file does.

    Attributes:
        changes: of fields.
        actions: what the operator then does, for a person.
        refused: why the API server would not take it.
    """

    changes: tuple[Change, ...]
    actions: tuple[str, ...]
    refused: tuple[str, ...] = ()


def stored(body: Mapping[str, Any]) -> Json:
    """A spec as the API server would store it."""
    made: Json = with_defaults(SPEC, without_nulls(SPEC, body.get("spec") or {}))
    return made


def differences(before: Any, after: Any, where: Where = ()) -> Iterator[tuple[Where, Any, Any]]:  # noqa: ANN401
    """Paths below which two values differ, lists as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(each for each in after if each not in before)]:
            yield from differences(
                before.get(name, _ABSENT), after.get(name, _ABSENT), (*where, name)
            )
    elif before != after:
        yield where, before, after


def _with(spec: Json, where: Where, value: Any) -> Json:  # noqa: ANN401 - any JSON value
    made = copy.deepcopy(spec)
    node = made
    for name in where[:-1]:
        node = node.setdefault(name, {})
    if value is _ABSENT:
        node.pop(where[-1], None)
    else:
        node[where[-1]] = value
    return made


def settings_of(live: Mapping[str, Any]) -> Settings:
    """The operator's default image, as far as the live status tells it."""
    spec, image = live.get("spec") or {}, (live.get("status") or {}).get("image")
    if image is None or (spec.get("triton") or {}).get("image") is not None:
        return Settings()
    cpu = (spec.get("resources") or {}).get("gpus") == 0
    return Settings(default_cpu_image=image) if cpu else Settings(default_image=image)


def _pods_of(body: Mapping[str, Any], spec: Json, rendering: tuple[Settings, Any]) -> str:
    """What tells one kind of pods from another."""
    settings, backend = rendering
    return desired(read_resource({**body, "spec": spec}), settings, backend).newest_hash


def _restarting(
    live: Mapping[str, Any], one: tuple[Where, Any, Any], rendering: tuple[Settings, Any]
) -> bool:
    """Whether this change alone would give other pods."""
    where, _, after = one
    spec = stored(live)
    try:
        changed = _pods_of(live, _with(spec, where, after), rendering)
        return changed != _pods_of(live, spec, rendering)
    except InvalidSpec:
        # It goes only with another change of the same file.
        return True


def _actions(before: Resource, after: Resource, restarts: bool, pods: int) -> Iterator[str]:  # noqa: FBT001
    spec = after.spec
    if restarts and pods:
        rollout = spec.rollout
        step = f"{rollout.max_unavailable} missing and {rollout.max_surge} more at a time"
        yield f"{pods} {'pod is' if pods == 1 else 'pods are'} replaced, {step}"
    if spec.suspend != before.spec.suspend:
        yield "all pods are stopped" if spec.suspend else "pods are started again"
    elif spec.replicas != before.spec.replicas and not spec.suspend:
        verb = "started" if spec.replicas > before.spec.replicas else "stopped"
        count = abs(spec.replicas - before.spec.replicas)
        yield f"{count} {'pod is' if count == 1 else 'pods are'} {verb}"
    if spec.service != before.spec.service:
        yield "the Service is changed in place"
    if spec.autoscaling != before.spec.autoscaling:
        yield "who scales the pods changes, or within which bounds"


def effect(live: Mapping[str, Any], body: Mapping[str, Any], backend: Files, pods: int) -> Effect:
    """What applying `body` over `live` does.

    Args:
        live: the resource as the cluster has it.
        body: the document of the file.
        backend: the package that runs inside Triton.
        pods: how many there are.

    Raises:
        InvalidSpec: the operator would refuse the new spec.
    """
    before, after = stored(live), stored(body)
    found = list(differences(before, after, ("spec",)))
    rendering = settings_of(live), backend
    fresh = {**live, "spec": after}
    restarts = _pods_of(live, before, rendering) != _pods_of(fresh, after, rendering)
    changes = tuple(
        Change(
            where,
            None if old is _ABSENT else old,
            None if new is _ABSENT else new,
            restarts and _restarting(live, (where[1:], old, new), rendering),
        )
        for where, old, new in found
    )
    actions = _actions(
        read_resource({**live, "spec": before}), read_resource(fresh), restarts, pods
    )
    refused = changed_though_fixed(SPEC, after, before, ("spec",))
    return Effect(changes, tuple(actions), tuple(each.message for each in refused))
