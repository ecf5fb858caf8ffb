"""Pictures of what takes time and memory: a start, a roll-out, a GPU."""

from docsite.figures.drawing import Sheet
from qwen_operator.api.status import Startup
from qwen_operator.fit.answer import Answer, answer, gib
from qwen_operator.fit.devices import gpu
from qwen_operator.fit.memory import Plan
from qwen_operator.fit.shapes import named


def start() -> Sheet:
    """The phases of a start."""
    made = Sheet(
        880,
        220,
        "From apply to the first token",
        "A pod is created, finds a node, gets its image and volumes, downloads the weights, loads"
        " the model, opens its ports and is ready. status.startup tells the seconds of each phase.",
    )
    phases = (
        ("scheduledSeconds", "part-4", "a node with free GPUs"),
        ("pulledSeconds", "part-2", "image, volumes"),
        ("downloadedSeconds", "part-3", "weights from the hub"),
        ("loadedSeconds", "part-1", "load, compile, warm up"),
        ("readySeconds", "part-5", "ports open, a probe"),
    )
    each = 840 / len(phases)
    known = {field.alias for field in Startup.model_fields.values()}
    for number, (name, kind, what) in enumerate(phases):
        if name not in known:
            raise ValueError(f"status.startup has no {name}")
        x = 20 + number * each
        made.bar((x, 60), (each - 3, 26), [(kind, 1)])
        made.text((x, 112), name, "code")
        made.text((x, 130), what, "quiet")
    made.text((20, 40), "created", "quiet")
    made.text((860, 40), "ready", "quiet", "end")
    made.text(
        (20, 176),
        "Meanwhile the reason is WaitingForGPU or ModelLoading; what goes wrong has its own.",
        "quiet",
    )
    made.text(
        (20, 196),
        "A pod counts as ready when kubelet says so and its engine's heartbeat on :8002 goes on.",
        "quiet",
    )
    return made


_MODEL = "Qwen/Qwen3-8B"
_GPUS = ("L4", "RTX-4090", "L40S", "A100-80GB")
_PARTS = (
    ("weights", "part-1"),
    ("activations", "part-2"),
    ("CUDA", "part-3"),
    ("CUDA graphs", "part-4"),
    ("KV cache", "part-5"),
    ("left to others", "part-6"),
)


def _sizes(found: Answer) -> list[int]:
    """Bytes of each part, in their order."""
    memory = found.memory
    taken = (memory.weights, memory.activations, memory.other, memory.graphs)
    cache = max(0, memory.kv_cache)
    return [*taken, cache, found.plan.gpu.memory - sum(taken) - cache]


def memory() -> Sheet:
    """What a GPU's memory goes to."""
    found = [answer(Plan(shape=named(_MODEL), gpu=gpu(name))) for name in _GPUS]
    made = Sheet(
        880,
        330,
        f"What the memory of a GPU goes to: {_MODEL}",
        "; ".join(
            f"{each.plan.gpu.name}: "
            + ", ".join(
                f"{name} {gib(size)}" for (name, _), size in zip(_PARTS, _sizes(each), strict=True)
            )
            for each in found
        ),
    )
    for number, each in enumerate(found):
        top = 40 + 60 * number
        whole = each.plan.gpu.memory
        made.text((20, top + 20), each.plan.gpu.name, "head")
        made.text((20, top + 37), gib(whole), "quiet")
        sizes = zip(_PARTS, _sizes(each), strict=True)
        made.bar((130, top + 4), (480, 26), [(kind, size / whole) for (_, kind), size in sizes])
        longest = f"longest request: {each.longest:,} tokens"
        made.text((626, top + 14), longest, "quiet")
        at_once = f"{each.concurrency(4096):.0f} requests of 4,096 tokens at once"
        made.text((626, top + 32), at_once, "quiet")
    x = 20.0
    for name, kind in _PARTS:
        made.bar((x, 290), (14, 14), [(kind, 1)])
        made.text((x + 20, 302), name, "quiet")
        x += 44 + 7.2 * len(name)
    made.text((20, 26), "computed by qwenctl fit, maxModelLen left out", "quiet")
    return made


def rollout() -> Sheet:
    """How pods are replaced."""
    made = Sheet(
        880,
        250,
        "How a changed spec rolls out",
        "By default the old pod goes before the new one comes, so no second set of GPUs is needed."
        " With maxSurge 1 and maxUnavailable 0 the new one comes first, which needs free GPUs.",
    )
    made.text(
        (20, 42),
        "maxSurge: 0, maxUnavailable: 1 (the default): no spare GPU needed, a gap of one load time",
        "quiet",
    )
    made.bar(
        (20, 56),
        (840, 24),
        [("part-5", 0.36), ("part-6", 0.04), ("part-1", 0.26), ("part-5", 0.34)],
    )
    made.text((20, 100), "old pod answers", "quiet")
    made.text((360, 100), "new pod loads", "quiet")
    made.text((860, 100), "new pod answers", "quiet", "end")
    made.text(
        (20, 148), "maxSurge: 1, maxUnavailable: 0: one pod's GPUs must be free, no gap", "quiet"
    )
    made.bar((20, 162), (840, 24), [("part-5", 0.66)])
    made.bar((322, 190), (538, 24), [("part-1", 0.47), ("part-5", 0.53)])
    made.text((20, 234), "old pod answers", "quiet")
    made.text((322, 234), "new pod loads", "quiet")
    made.text((860, 234), "new pod answers", "quiet", "end")
    return made
