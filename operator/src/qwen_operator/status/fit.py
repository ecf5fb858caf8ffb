"""Whether the model fits, as the status tells it: whole numbers and quantities, no floats."""

from collections.abc import Iterator
from typing import Any

from qwen_operator.api.quantities import mebibytes
from qwen_operator.fit.answer import Answer
from qwen_operator.fit.judging import Judgement
from qwen_operator.status.pods import Trouble
from qwen_operator.status.reasons import Reason

Json = dict[str, Any]

_LENGTHS = (1024, 4096, 16384, 32768)
_MOST = 2000


def _memory(found: Answer) -> Json:
    memory, gpu = found.memory, found.plan.gpu
    sizes = {
        "total": gpu.memory or memory.share,
        "share": memory.share,
        "weights": memory.weights,
        "activations": memory.activations,
        "other": memory.other + memory.graphs,
        "kvCache": max(0, memory.kv_cache),
    }
    return {name: mebibytes(size) for name, size in sizes.items()}


def _concurrency(found: Answer) -> Iterator[Json]:
    longest = found.longest
    for length in sorted({*_LENGTHS, found.plan.length}):
        if length <= min(longest, found.plan.length):
            yield {"tokens": length, "requests": int(found.concurrency(length))}


def fit_of(judged: Judgement | None) -> Json:
    """`status.fit`; nothing where nobody says where the pods compute."""
    if judged is None:
        return {}
    made: Json = {"verdict": judged.verdict.value, "message": judged.message[:_MOST]}
    if judged.place is not None:
        made |= {"gpu": judged.place.gpu.name, "toldBy": judged.place.told_by}
    if judged.answer is not None:
        found = judged.answer
        made |= {
            "memory": _memory(found),
            "kvCacheTokens": found.memory.tokens,
            "largestMaxModelLen": found.longest,
            "concurrency": list(_concurrency(found)),
            "instead": [each.change for each in judged.instead],
        }
    return {"fit": {name: value for name, value in made.items() if value != []}}


def hopeless(judged: Judgement) -> Trouble:
    """Why no pod is started for a model that cannot fit."""
    near = [each.change for each in judged.instead]
    words = judged.message
    if judged.place is not None and not judged.place.gpu.is_cpu:
        words += f"; that pods get this GPU is told by {judged.place.told_by}"
    if not near:
        return Trouble(Reason.DoesNotFit, words)
    todo = f"Change one thing: {'; or '.join(near)}; or set spec.engine.skipFitCheck to true."
    return Trouble(Reason.DoesNotFit, f"{words}; it would fit with {near[0]}", own_suggestion=todo)
