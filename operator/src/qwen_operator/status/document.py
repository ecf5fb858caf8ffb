"""The status document: conditions, counts and endpoints, from a verdict."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qwen_operator import naming
from qwen_operator.facts import Facts
from qwen_operator.status.pods import Trouble
from qwen_operator.status.reasons import Reason
from qwen_operator.status.startup import download, startup
from qwen_operator.status.verdict import Seen

Json = dict[str, Any]

_MESSAGE = 2000
MOST_PODS_NAMED = 32


def _condition(kind: str, *, holds: bool, because: Trouble) -> Json:
    text = _shortened(because.message, _MESSAGE)
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "reason": because.reason.name,
        "message": text,
    }


def _with_remedy(found: Trouble) -> Trouble:
    if not found.reason.value.failing:
        return found
    todo = f" What to do: {found.suggestion}"
    words = _shortened(found.message, _MESSAGE - len(todo) - 1).rstrip(".")
    return replace(found, message=f"{words}.{todo}")


def _shortened(text: str, most: int) -> str:
    """Never cut what to do away: what was seen is shortened instead."""
    return text if len(text) <= most else f"{text[: most - 2].rstrip()} …"


def conditions(what: Seen, found: Trouble) -> list[Json]:
    """The four conditions, without the fields that depend on time."""
    told = _with_remedy(found)
    is_accepted = found.reason.value.accepted
    accepted = Trouble(Reason.Serving, "the spec is valid") if is_accepted else found
    serving = len(what.serving)
    moving = found.reason.value.resolves
    available = Trouble(found.reason, f"{serving} pods answer requests")
    made = [
        _condition("Accepted", holds=is_accepted, because=accepted),
        _condition("Progressing", holds=moving, because=told),
        _condition("Available", holds=serving > 0, because=available),
        _condition("Ready", holds=found.reason is Reason.Serving, because=told),
    ]
    if is_accepted:
        made[0]["reason"] = "Valid"
    if serving:
        made[2]["reason"] = "PodsServing"
    return made


def dated(fresh: list[Json], previous: Mapping[str, Any], moment: tuple[int, str]) -> list[Json]:
    """The conditions with generation and lastTransitionTime, which moves only when status flips.

    Args:
        fresh: from `conditions`.
        previous: the status as it stands on the resource.
        moment: the generation that the conditions speak of, and now in RFC 3339.
    """
    generation, now = moment
    before = {each.get("type"): each for each in previous.get("conditions") or ()}
    made = []
    for each in fresh:
        old = before.get(each["type"], {})
        since = old.get("lastTransitionTime") if old.get("status") == each["status"] else None
        made.append({**each, "observedGeneration": generation, "lastTransitionTime": since or now})
    return made


def endpoints(child: str, namespace: str, served_name: str) -> Json:
    """Where the model answers inside the cluster."""
    host = f"{child}.{namespace}.svc"
    return {
        "http": f"http://{host}:{naming.HTTP_PORT}/v2/models/{served_name}/generate",
        "grpc": f"{host}:{naming.GRPC_PORT}",
        "metrics": f"http://{host}:{naming.METRICS_PORT}/metrics",
    }


def outdated(facts: Facts, newest: str) -> Json:
    """Names of pods that do not run the newest rendering: rolling now, or held back."""
    names = [pod.name for pod in facts.pods if pod.template_hash != newest]
    return {"outdatedPods": names[:MOST_PODS_NAMED]} if names else {}


def _failure(found: Trouble) -> Json:
    made = {
        "reason": found.reason.name,
        "message": _shortened(found.message, _MESSAGE),
        "suggestion": found.suggestion,
        "pod": found.pod,
        "logLine": found.log_line,
    }
    return {key: value for key, value in made.items() if value is not None}


def counts(what: Seen, found: Trouble, before: Mapping[str, Any] | None = None) -> Json:
    """Counts of pods, the latest start, and the failure if there is one.

    Args:
        what: what was seen.
        found: the verdict on it.
        before: the status as it stands on the resource.
    """
    made: Json = {
        "replicas": len(what.facts.pods),
        "readyReplicas": len(what.serving),
        "updatedReplicas": len(what.updated),
    }
    if (took := startup(what.facts.pods, (before or {}).get("startup"))) is not None:
        made["startup"] = took
    if (moved := download(what.facts.pods)) is not None:
        made["download"] = moved
    if found.reason.value.failing:
        made["failure"] = _failure(found)
    return made
