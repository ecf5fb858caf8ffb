"""Whether a resource's model fits where its pods will run: for the status, and before any pod."""

from dataclasses import dataclass
from enum import StrEnum

from qwen_operator.api.v1alpha1 import Spec
from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.answer import Answer, answer, surely_not
from qwen_operator.fit.knowledge import read
from qwen_operator.fit.placing import Place, place_of
from qwen_operator.fit.request import COMPUTED, plan_of, shape_of
from qwen_operator.fit.ways import Way, ways


class Verdict(StrEnum):
    """What the computation comes to."""

    FITS = "Fits"
    MAY_NOT_FIT = "MayNotFit"
    DOES_NOT_FIT = "DoesNotFit"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known before any pod runs.

    Attributes:
        verdict: DOES_NOT_FIT only where no error of the computation could make it fit.
        message: why, for a person.
        place: where pods compute.
        answer: the figures; None where they could not be computed.
        instead: the nearest things that fit, where this does not.
    """

    verdict: Verdict
    message: str
    place: Place | None = None
    answer: Answer | None = None
    instead: tuple[Way, ...] = ()


def _is_sure(spec: Spec) -> bool:
    """Whether what a spec names is what the tables know, and nothing changes it unforeseen."""
    owner = spec.model.source.removeprefix("hf://").partition("/")[0]
    understood = {*read("vllm")["no_matter"], *COMPUTED}
    return owner in read("models")["owners"] and set(spec.engine.extra_args) <= understood


def _named(found: Answer) -> str:
    plan = found.plan
    several = f"{plan.gpus} x " if plan.gpus > 1 else ""
    return f"{plan.shape.name} on {several}{plan.gpu.name}"


def _fitting(found: Answer) -> str:
    length, held = found.plan.length, found.memory.usable
    requests = int(found.concurrency(length))
    noun = "request" if requests == 1 else "requests"
    return (
        f"{_named(found)}: the KV cache holds {held} tokens, {requests} {noun} of maxModelLen"
        f" {length} at once"
    )


def _judged(spec: Spec, place: Place, version: str | None) -> Judgement:
    found = answer(plan_of(spec, shape_of(spec), place.gpu, version))
    if found.fits:
        return Judgement(Verdict.FITS, _fitting(found), place, found)
    sure = _is_sure(spec) and surely_not(found.plan)
    verdict = Verdict.DOES_NOT_FIT if sure else Verdict.MAY_NOT_FIT
    message = f"{_named(found)}: {'; '.join(found.why_not)}"
    return Judgement(verdict, message, place, found, tuple(ways(found.plan)))


def judge(spec: Spec, version: str | None, everywhere: str = "") -> Judgement | None:
    """What is known of a resource before any pod runs; None where nobody says where pods compute.

    Args:
        spec: of the resource.
        version: of vLLM in the image, where it is known.
        everywhere: the GPU of all nodes of the cluster, where they are alike.
    """
    place = None
    try:
        place = place_of(spec, everywhere)
        return None if place is None else _judged(spec, place, version)
    except InvalidSpec as problem:
        if place is not None and place.gpu.is_cpu:
            # Nobody asked, and of weights on a volume nothing can be told.
            return None
        return Judgement(Verdict.UNKNOWN, str(problem), place)
