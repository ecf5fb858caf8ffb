"""What the page tells of a model: a line of the list, and everything for the one that is open."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qwen_operator.facts import Facts, PodFacts
from qwen_operator.load import Load, together
from qwen_operator.naming import Key
from qwen_operator.observe.engines import Pace
from qwen_operator.observe.sights import Sight, Watched, facts_of, pods_of, sight
from qwen_operator.status.reasons import BY_NAME, Meaning, Reason

Json = dict[str, Any]

_MESSAGE = 300
_NOT_SAID = Meaning("The operator has not looked at it yet.", "Wait.", resolves=True, failing=False)


@dataclass(frozen=True, slots=True)
class Model:
    """One resource with all that was seen of it.

    Attributes:
        sight: the resource and its Deployment.
        facts: its pods.
        paces: pod uid → what its engine does.
    """

    sight: Sight
    facts: Facts
    paces: Mapping[str, Pace]

    @property
    def meaning(self) -> Meaning:
        """What the reason of its Ready condition means."""
        found = BY_NAME.get(str(self.sight.ready.get("reason")))
        return _NOT_SAID if found is None else found.value

    @property
    def serving(self) -> list[PodFacts]:
        """Pods that answer."""
        return [pod for pod in self.facts.pods if pod.is_serving]


def model(watched: Watched, key: Key) -> Model | None:
    """One resource as it was last seen, or None where there is none."""
    store, engines, *_ = watched
    found = sight(store, key)
    if found is None:
        return None
    uid = found.body["metadata"]["uid"]
    paces = ((pod["metadata"]["uid"], engines.pace(pod)) for pod in pods_of(store, key, uid))
    known = {uid: pace for uid, pace in paces if pace is not None}
    return Model(found, facts_of(watched, key, uid, found.who[2]), known)


def _short(text: str, most: int = _MESSAGE) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _state(one: Model) -> str:
    """What a person looks for first: trouble, starting, serving or off."""
    if one.meaning.failing:
        return "trouble"
    if one.meaning is Reason.Serving.value:
        return "serving"
    return "starting" if one.meaning.resolves else "off"


def _words(one: Model) -> str:
    """What is the case, without what to do about it."""
    failure = one.sight.status.get("failure") or {}
    return str(failure.get("message") or one.sight.ready.get("message") or one.meaning.means)


def _remedy(one: Model) -> str:
    failure = one.sight.status.get("failure") or {}
    return str(failure.get("suggestion") or (one.meaning.remedy if one.meaning.failing else ""))


def _load(load: Load, rates: Iterable[tuple[float, float] | None]) -> Json:
    known = [each for each in rates if each is not None]
    return {
        "running": load.running,
        "waiting": load.waiting,
        "cache": load.cache,
        "in": round(sum(each[0] for each in known), 1) if known else None,
        "out": round(sum(each[1] for each in known), 1) if known else None,
    }


def _loads(one: Model) -> Json | None:
    paces = [one.paces[pod.uid] for pod in one.serving if pod.uid in one.paces]
    if not paces:
        return None
    return _load(together(each.load for each in paces), (each.rates for each in paces))


_PHASES = ("scheduling", "pulling", "starting", "downloading", "loading", "opening")
_TOLD_BY_THE_BACKEND = ("downloading", "loading", "opening")


def _steps(pod: PodFacts) -> list[Json]:
    """What a pod's start has come through: each phase with when it began.

    A backend that does not tell of its own is loading from the moment that it runs.
    """
    times, progress = pod.times, pod.progress
    began = [("scheduling", times.created), ("pulling", times.scheduled)]
    if progress is None:
        began.append(("loading", times.started))
    else:
        began.append(("starting", times.started))
        began += [(name, progress.since(name)) for name in _TOLD_BY_THE_BACKEND]
    steps: list[Json] = [
        {"name": name, "since": moment} for name, moment in began if moment is not None
    ]
    if progress is not None and progress.download is not None and steps:
        steps[-1]["bytes"], steps[-1]["total"] = progress.download
    return steps


def _furthest(pods: Iterable[PodFacts]) -> Json | None:
    """The phase of the pod that has come furthest among those that start."""
    latest = [steps[-1] for pod in pods if pod.times.ready is None and (steps := _steps(pod))]
    return max(latest, key=lambda each: _PHASES.index(each["name"]), default=None)


def row(one: Model) -> Json:
    """One model's line of the list."""
    namespace, name, served = one.sight.who
    source = str((one.sight.spec.get("model") or {}).get("source", ""))
    return {
        "namespace": namespace,
        "name": name,
        "served": served,
        "source": source,
        "state": _state(one),
        "reason": str(one.sight.ready.get("reason") or "Unknown"),
        "message": _short(_words(one)),
        "remedy": _short(_remedy(one)),
        "since": one.sight.ready.get("lastTransitionTime"),
        "ready": len(one.serving),
        "wanted": one.sight.wanted,
        "gpus": one.sight.gpus,
        "phase": _furthest(one.facts.pods),
        "load": _loads(one),
    }


def _pod_words(pod: PodFacts) -> str:
    """One pod's state in a few words."""
    if pod.is_serving:
        return "serving"
    if pod.unschedulable is not None:
        return f"waits for a node: {pod.unschedulable}"
    if pod.waiting is not None and any(pod.waiting):
        return ": ".join(filter(None, pod.waiting))
    if pod.ready:
        return f"ready; engine {pod.engine.value}"
    return "starting" if pod.running or not pod.scheduled else "being set up"


def _pod(pod: PodFacts, pace: Pace | None) -> Json:
    ended = pod.termination
    return {
        "name": pod.name,
        "node": pod.node,
        "words": _short(_pod_words(pod)),
        "serving": pod.is_serving,
        "restarts": pod.restarts,
        "ended": None if ended is None else {"reason": ended.reason, "code": ended.exit_code},
        "steps": _steps(pod),
        "readySince": pod.times.ready,
        "load": None if pace is None else _load(pace.load, [pace.rates]),
    }


def _adapters(spec: Mapping[str, Any]) -> list[str]:
    listed = (spec.get("engine") or {}).get("loraAdapters") or ()
    return [str(each["name"]) for each in listed if isinstance(each, dict) and "name" in each]


def detail(one: Model) -> Json:
    """Everything about one model."""
    status, spec = one.sight.status, one.sight.spec
    failure = status.get("failure") or {}
    return {
        **row(one),
        "message": _words(one),
        "remedy": _remedy(one),
        "means": one.meaning.means,
        "failedPod": failure.get("pod"),
        "logLine": failure.get("logLine"),
        "conditions": [
            {name: str(each.get(name) or "") for name in ("type", "status", "reason", "message")}
            | {"since": each.get("lastTransitionTime")}
            for each in status.get("conditions") or ()
        ],
        "pods": [_pod(pod, one.paces.get(pod.uid)) for pod in one.facts.pods],
        "startup": status.get("startup"),
        "endpoints": status.get("endpoints"),
        "image": status.get("image"),
        "adapters": _adapters(spec),
        "asksForKey": bool((spec.get("chat") or {}).get("apiKeySecretRef")),
    }


def models(watched: Watched) -> Iterator[tuple[Key, Model]]:
    """Every resource as it was last seen, by namespace and name."""
    for key in sorted(watched[0].keys()):
        if (found := model(watched, key)) is not None:
            yield key, found
