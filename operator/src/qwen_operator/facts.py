"""What was seen of a resource's children, typed: the only input of the status besides its spec."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from qwen_operator import naming

_GIB = 1 << 30
_STEPS = 20
"""In so many a download is told."""


class Engine(Enum):
    """What :8002 of a pod says about its engine."""

    UNKNOWN = "not read yet"
    UP = "up, heartbeat fresh"
    DOWN = "reported down by the backend"
    STALE = "heartbeat stopped"
    UNREACHABLE = "no usable answer on :8002"
    FOREIGN = "another model answers at its address"
    NOT_OFFERED = "its engine is up, and Triton refuses requests for the model on :8000"
    CLOSED = "its engine is up, and Triton gives no usable answer on :8000"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backend is, by its own account on :9000.

    Attributes:
        phase: the backend's word for what it does.
        entered: phase → when it was entered, unix seconds on the node's clock.
        download: bytes of weights that are there, and that will be where that is known; None
            unless it downloads now.
    """

    phase: str
    entered: Mapping[str, float]
    download: tuple[int, int | None] | None = None

    @property
    def milestone(self) -> tuple[int, int | None] | None:
        """The download as of its last twentieth, or GiB where nobody knows the whole."""
        if self.download is None:
            return None
        done, total = self.download
        if total is None:
            return done // _GIB * _GIB, None
        return total * min(_STEPS, _STEPS * done // total) // _STEPS, total

    @property
    def is_complete(self) -> bool:
        """The model has been loaded."""
        return "opening" in self.entered

    def since(self, phase: str) -> str | None:
        """When a phase was entered, RFC 3339 in UTC; None where it was not."""
        moment = self.entered.get(phase)
        if moment is None:
            return None
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Termination:
    """How the serving container last ended.

    Attributes:
        reason: kubelet's word: Error, OOMKilled, Completed, ContainerCannotRun …
        exit_code: of the container; 128 + n for signal n.
        message: what the backend left, or the tail of the log.
    """

    reason: str
    exit_code: int
    message: str

    @property
    def report(self) -> Mapping[str, str] | None:
        """The backend's own structured account, if it could leave one."""
        try:
            found = json.loads(self.message)
        except ValueError:
            return None
        if not isinstance(found, dict) or not isinstance(found.get("reason"), str):
            return None
        return {key: str(value) for key, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Times:
    """When a pod came how far, RFC 3339 in UTC; None as long as it has not.

    Attributes:
        created: the pod object.
        scheduled: a node was found.
        started: the serving container's present process.
        ready: kubelet called it ready, and still does.
    """

    created: str | None = None
    scheduled: str | None = None
    started: str | None = None
    ready: str | None = None


@dataclass(frozen=True, slots=True)
class EndedPod:
    """A pod that its node ended, refused or lost, and that still stands in the API.

    Attributes:
        name: the pod's.
        template_hash: pod template that it was made from.
        node: where it was.
        words: why, in Kubernetes' words.
        lost: the node does not answer.
    """

    name: str
    template_hash: str
    node: str | None
    words: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One pod of a resource.

    Attributes:
        name: the pod's.
        uid: the pod's.
        template_hash: pod template that it was made from.
        ready: kubelet says so.
        scheduled: a node was found.
        unschedulable: the scheduler's words, if none was.
        waiting: kubelet's reason and message of a container that cannot run.
        running: the serving container's process exists.
        lost: it has been ready since its container was started, and is not any more.
        node: where it runs, or None before it is scheduled.
        warning: the last warning that Kubernetes gave about a pod that does not start.
        termination: how the serving container last ended, now or before a restart.
        restarts: of the serving container.
        engine: what the last scrapes say.
        has_door: OpenAI's endpoint is there, or nobody says that it is not.
        image: of the serving container.
        gpus: how many of which extended resource it asks for.
        times: when it came how far.
        progress: how far its backend is, where that is known.
        free: how many there are of what it waits for, where that is known.
    """

    name: str
    uid: str
    template_hash: str
    ready: bool = False
    scheduled: bool = False
    unschedulable: str | None = None
    waiting: tuple[str, str] | None = None
    running: bool = False
    lost: bool = False
    node: str | None = None
    warning: str | None = None
    termination: Termination | None = None
    restarts: int = 0
    engine: Engine = Engine.UNKNOWN
    has_door: bool = True
    image: str | None = None
    gpus: str | None = None
    times: Times = field(default_factory=Times)
    progress: Progress | None = None
    free: str | None = None

    @property
    def is_serving(self) -> bool:
        """A user's request sent to this pod would be answered."""
        return self.ready and self.engine is Engine.UP


def is_undecided(pod: PodFacts) -> bool:
    """Ready for kubelet, and its engine has not been read yet: the next reading will tell."""
    return pod.ready and pod.engine is Engine.UNKNOWN


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything seen of one resource's children.

    Attributes:
        pods: those of this resource that are neither over nor being deleted, by name.
        ended: those that a node ended, refused or lost, by name.
        replica_failure: why the ReplicaSet cannot make pods, in the API server's words.
        deployment_seen: the Deployment exists.
    """

    pods: tuple[PodFacts, ...] = ()
    ended: tuple[EndedPod, ...] = ()
    replica_failure: str | None = None
    deployment_seen: bool = False


def _condition(body: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions: Sequence[Mapping[str, Any]] = body.get("status", {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), {})


def _termination(state: Mapping[str, Any]) -> Termination | None:
    ended = state.get("terminated")
    if not ended:
        return None
    return Termination(
        reason=ended.get("reason") or "Error",
        exit_code=int(ended.get("exitCode") or 0),
        message=(ended.get("message") or "").strip(),
    )


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether kubelet calls a pod ready."""
    return bool(_condition(pod, "Ready").get("status") == "True")


def _has_lost_readiness(body: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """A Ready condition that turned False after the running container was started."""
    ready = _condition(body, "Ready")
    since = (state.get("running") or {}).get("startedAt") or ""
    # RFC 3339 in UTC and whole seconds: the order of the texts is that of the times.
    turned = str(ready.get("lastTransitionTime") or "")
    return ready.get("status") == "False" and bool(since) and turned > since


@dataclass(frozen=True, slots=True)
class Outside:
    """What is known of a pod from elsewhere than its own object.

    Attributes:
        engine: what its :8002 says.
        warning: the last warning event about it, looked up only while it does not start.
        progress: what its :9000 says of its start.
        free: how many there are of what it waits for.
        has_door: what its :8002 says of OpenAI's endpoint.
    """

    engine: Engine = Engine.UNKNOWN
    warning: str | None = None
    progress: Progress | None = None
    free: str | None = None
    has_door: bool = True


def _times(body: Mapping[str, Any], state: Mapping[str, Any]) -> Times:
    scheduled, ready = _condition(body, "PodScheduled"), _condition(body, "Ready")
    return Times(
        created=body["metadata"].get("creationTimestamp"),
        scheduled=scheduled.get("lastTransitionTime")
        if scheduled.get("status") == "True"
        else None,
        started=(state.get("running") or {}).get("startedAt"),
        ready=ready.get("lastTransitionTime") if ready.get("status") == "True" else None,
    )


def _specified(body: Mapping[str, Any]) -> Mapping[str, Any]:
    containers: Sequence[Mapping[str, Any]] = body.get("spec", {}).get("containers") or ()
    return next((each for each in containers if each.get("name") == naming.CONTAINER), {})


def _gpus(container: Mapping[str, Any]) -> str | None:
    """What the container asks for beside the resources that Kubernetes itself knows."""
    limits: Mapping[str, Any] = (container.get("resources") or {}).get("limits") or {}
    asked = [f"{count} {name}" for name, count in sorted(limits.items()) if "/" in name]
    return ", ".join(asked) or None


def read_pod(body: Mapping[str, Any], seen: Outside) -> PodFacts:
    """Type one pod as the API server shows it, with what is known of it from elsewhere."""
    metadata = body["metadata"]
    statuses: Sequence[Mapping[str, Any]] = body.get("status", {}).get("containerStatuses") or ()
    container = next((each for each in statuses if each.get("name") == naming.CONTAINER), {})
    state, last = container.get("state") or {}, container.get("lastState") or {}
    waiting = state.get("waiting")
    scheduled = _condition(body, "PodScheduled")
    return PodFacts(
        name=metadata["name"],
        uid=metadata["uid"],
        template_hash=metadata.get("annotations", {}).get(naming.TEMPLATE_HASH_ANNOTATION, ""),
        ready=is_ready(body),
        scheduled=scheduled.get("status") == "True",
        unschedulable=scheduled.get("message") if scheduled.get("status") == "False" else None,
        waiting=(waiting.get("reason", ""), waiting.get("message", "")) if waiting else None,
        running="running" in state,
        lost=_has_lost_readiness(body, state),
        node=body.get("spec", {}).get("nodeName"),
        warning=seen.warning,
        termination=_termination(state) or _termination(last),
        restarts=int(container.get("restartCount") or 0),
        engine=seen.engine,
        has_door=seen.has_door,
        image=_specified(body).get("image"),
        gpus=_gpus(_specified(body)),
        times=_times(body, state),
        progress=seen.progress,
        free=seen.free,
    )


def _is_alive(pod: Mapping[str, Any]) -> bool:
    """Not being deleted, and not over: an evicted pod stays as Failed, and serves nobody."""
    over = pod.get("status", {}).get("phase") in {"Failed", "Succeeded"}
    return not over and not pod["metadata"].get("deletionTimestamp")


def _ended(pod: Mapping[str, Any]) -> EndedPod | None:
    """A pod that a node ended, refused or lost; None for any other that is over."""
    metadata, status = pod["metadata"], pod.get("status", {})
    disrupted = _condition(pod, "DisruptionTarget")
    lost = status.get("reason") == "NodeLost" or (
        disrupted.get("reason") == "DeletionByTaintManager"
        and bool(metadata.get("deletionTimestamp"))
    )
    over = status.get("phase") == "Failed" and bool(status.get("reason"))
    if not lost and not over:
        return None
    said = [status.get("reason") or disrupted.get("reason"), status.get("message")]
    words = ": ".join(str(each) for each in [*said, disrupted.get("message")] if each)
    return EndedPod(
        name=metadata["name"],
        template_hash=(metadata.get("annotations") or {}).get(naming.TEMPLATE_HASH_ANNOTATION, ""),
        node=pod.get("spec", {}).get("nodeName"),
        words=words,
        lost=lost,
    )


def read_facts(
    deployment: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    outside: Mapping[str, Outside],
) -> Facts:
    """Type what was seen.

    Args:
        deployment: the resource's, or None.
        pods: the resource's, as the API server shows them.
        outside: pod uid → what is known of it from elsewhere.
    """
    alive = [each for each in pods if _is_alive(each)]
    over = [each for each in pods if not _is_alive(each)]
    failure = _condition(deployment or {}, "ReplicaFailure")
    typed = (read_pod(each, outside.get(each["metadata"]["uid"], Outside())) for each in alive)
    return Facts(
        pods=tuple(sorted(typed, key=lambda pod: pod.name)),
        ended=tuple(sorted(filter(None, map(_ended, over)), key=lambda pod: pod.name)),
        replica_failure=failure.get("message") if failure.get("status") == "True" else None,
        deployment_seen=deployment is not None,
    )
