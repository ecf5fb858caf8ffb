"""Pictures of how the parts fit and work; names and ports come from the code that they show."""

import itertools

from docsite.figures.drawing import Sheet
from qwen_operator import naming
from qwen_operator.status.reasons import Reason


def parts() -> Sheet:
    """From `kubectl apply` to an answer."""
    made = Sheet(
        880,
        400,
        "How the parts fit",
        "You apply a QwenDeployment. The operator watches it, applies ConfigMaps, a Deployment"
        " and a Service, reads each model pod's metrics, and writes the status. Clients ask the"
        " Service.",
    )
    you = made.box((20, 40), (170, 62), ["you", "kubectl, helm, GitOps"])
    resource = made.box(
        (250, 30), (220, 82), ["QwenDeployment", "spec: what you want", "status: what is"], "ours"
    )
    operator = made.box(
        (560, 30),
        (290, 82),
        ["operator", "one leads, others stand by", "writes only what differs"],
        "ours",
    )
    made.arrow(you.at("right"), resource.at("left"), words="apply")
    made.arrow(operator.at("left", 0.3), resource.at("right", 0.3), words="watch")
    maps = made.box(
        (250, 170),
        (220, 66),
        ["ConfigMaps", "model.json, config.pbtxt", "and the backend's source"],
    )
    deployment = made.box((560, 170), (140, 66), ["Deployment"])
    service = made.box((720, 170), (130, 66), ["Service"])
    made.arrow(operator.at("bottom", 0.3), deployment.at("top", 0.6), words="apply", beside=(26, 4))
    made.arrow(operator.at("bottom", 0.8), service.at("top", 0.5))
    made.arrow((600, 112), (470, 185))
    triton = (naming.HTTP_PORT, naming.GRPC_PORT, naming.METRICS_PORT)
    served = "tritonserver :{} HTTP, :{} gRPC, :{} metrics".format(*triton)
    pod = made.box(
        (250, 290),
        (450, 84),
        [
            "model pod",
            served,
            f"Python backend with vLLM's engine, :{naming.BACKEND_PORT} OpenAI API",
        ],
    )
    made.arrow(maps.at("bottom"), pod.at("top", 0.244), words="mounted", beside=(-34, 4))
    made.arrow(deployment.at("bottom"), pod.at("top", 0.844), words="makes", beside=(-26, 4))
    client = made.box((740, 300), (120, 62), ["clients"])
    made.arrow((800, 300), (790, 236), words="ask", beside=(22, 4))
    made.arrow((740, 236), (700, 300))
    made.arrow((850, 90), (868, 90), (868, 385), (640, 385), (640, 374), words="")
    made.text((626, 391), "reads :8002 of every pod: is the engine alive?", "quiet", "end")
    assert client  # noqa: S101 - drawn above
    return made


def pod() -> Sheet:
    """What runs inside a model pod."""
    made = Sheet(
        880,
        330,
        "Inside a model pod",
        "tritonserver serves HTTP, gRPC and metrics. It starts a stub process with the Python"
        " backend qwen_triton, which owns vLLM's AsyncLLM; the engine's core is a process of its"
        " own on the GPU. vLLM's OpenAI application answers on port 9000 from the same engine.",
    )
    made.box(
        (20, 20), (840, 290), ["pod, one container, no service-account token"], "soft", top=True
    )
    server = made.box(
        (50, 70),
        (200, 110),
        [
            "tritonserver",
            f"`:{naming.HTTP_PORT}  HTTP`",
            f"`:{naming.GRPC_PORT}  gRPC`",
            f"`:{naming.METRICS_PORT}  metrics`",
        ],
    )
    stub = made.box(
        (370, 70),
        (220, 110),
        ["stub: Python backend", "`qwen_triton/model.py`", "prompts, streams, limits"],
        "ours",
    )
    engine = made.box(
        (650, 70), (180, 110), ["vLLM engine core", "weights, KV cache", "on the GPUs"]
    )
    made.arrow(server.at("right", 0.4), stub.at("left", 0.4), words="shared memory", beside=(0, -8))
    made.arrow(stub.at("left", 0.7), server.at("right", 0.7))
    made.arrow(stub.at("right", 0.4), engine.at("left", 0.4))
    made.arrow(engine.at("left", 0.7), stub.at("right", 0.7))
    door = made.box(
        (340, 220),
        (240, 66),
        [f"vLLM's OpenAI app :{naming.BACKEND_PORT}", "same process, same engine", "and /health"],
        "ours",
    )
    made.arrow(door.at("top"), stub.at("bottom"))
    volume = made.box((50, 220), (220, 66), ["volumes", "ConfigMaps, weights, /dev/shm"])
    made.arrow(volume.at("top"), server.at("bottom"))
    made.text((620, 248), "kubelet asks :9000/health:", "quiet")
    made.text((620, 266), "is the engine alive and loaded?", "quiet")
    return made


def one_pass() -> Sheet:
    """One pass of the operator."""
    made = Sheet(
        880,
        230,
        "One pass over a QwenDeployment",
        "Parse the resource, compute what should exist, apply what differs, look at what exists,"
        " compute the status, write it if it changed. The computing steps are pure functions.",
    )
    steps = (
        ("parse", "spec → types", "ours"),
        ("compute", "children", "ours"),
        ("apply", "what differs", "box"),
        ("look", "pods, engines", "box"),
        ("judge", "one reason", "ours"),
        ("write", "if it changed", "box"),
    )
    width, gap = 122, 19
    boxes = [
        made.box((20 + number * (width + gap), 60), (width, 66), [name, what], kind)
        for number, (name, what, kind) in enumerate(steps)
    ]
    for before, after in itertools.pairwise(boxes):
        made.arrow(before.at("right"), after.at("left"))
    made.text(
        (20, 36), "an event, a reading or the sweep pokes the queue; equal pokes are one", "quiet"
    )
    made.bar((20, 160), (16, 16), [("ours", 1)])
    made.text((44, 173), "pure: no client, clock, environment, log or await", "quiet")
    made.bar((20, 188), (16, 16), [("box", 1)])
    made.text((44, 201), "touches the cluster or a pod; a second pass finds nothing to do", "quiet")
    return made


def verdict() -> Sheet:
    """From what is seen to one reason."""
    shown = [
        Reason.WaitingForGPU,
        Reason.ImagePullFailed,
        Reason.KVCacheTooSmall,
        Reason.EngineDead,
        Reason.ModelLoading,
        Reason.Serving,
    ]
    made = Sheet(
        880,
        360,
        "From what is seen to one reason",
        "Facts about pods, engines and events go through an ordered list of rules, most specific"
        " first; the first that holds gives the reason, with a message and what to do. From it come"
        " the conditions Accepted, Progressing, Available and Ready.",
    )
    facts = [
        made.box((20, 40 + 96 * number), (210, 76), lines)
        for number, lines in enumerate(
            (
                ["pods", "scheduled, pulled, running,", "ended: how and with what"],
                ["engines", "heartbeat on :8002,", "read every few seconds"],
                ["events", "of pods that do not start"],
            )
        )
    ]
    made.box((300, 40), (250, 268), [f"{len(Reason)} rules, first hit wins"], "ours", top=True)
    for number, reason in enumerate(shown):
        made.text((316, 98 + 34 * number), reason.name, "code")
        if reason is not shown[-1]:
            made.text((316, 115 + 34 * number), "⋮", "quiet")
    for each in facts:
        made.arrow(each.at("right"), (300, each.y + each.height / 2))
    told = made.box(
        (620, 40), (240, 96), ["status.failure", "message, pod, log line,", "and what to do"], "bad"
    )
    conditions = made.box(
        (620, 176),
        (240, 132),
        [
            "conditions",
            "Accepted: the spec can be",
            "Progressing: it may pass",
            "Available: some pod answers",
            "Ready: all is as asked",
        ],
        "good",
    )
    made.arrow((550, 88), told.at("left"))
    made.arrow((550, 242), conditions.at("left"))
    made.text(
        (20, 342),
        "The same table makes docs/troubleshooting.md and `qwenctl explain REASON`.".replace(
            "`", ""
        ),
        "quiet",
    )
    return made


def page() -> Sheet:
    """Who reaches the fleet page."""
    made = Sheet(
        880,
        250,
        "Two ways to the fleet page",
        "Without page.hosts the page listens on the operator pod's loopback: kubectl port-forward"
        " reaches it, and the API server asks who may. With page.hosts it listens on all addresses"
        " behind a Service; whoever reaches that sees the page, so put an authenticating proxy"
        " in front.",
    )
    you = made.box((20, 30), (190, 72), ["you", "`kubectl port-forward`"])
    server = made.box((300, 30), (200, 72), ["API server", "may you port-forward here?"])
    made.box((590, 20), (270, 210), ["operator pod"], "soft", top=True)
    loopback = made.box((610, 58), (230, 50), ["127.0.0.1", "by default"], "ours")
    hosts = made.box((610, 158), (230, 50), ["all addresses", "with page.hosts"], "ours")
    made.arrow(you.at("right"), server.at("left"))
    made.arrow(server.at("right", 0.7), loopback.at("left"))
    others = made.box((20, 146), (190, 72), ["browsers", "by a name of page.hosts"])
    proxy = made.box((300, 146), (200, 72), ["your proxy", "who is it? TLS"], "good")
    made.arrow(others.at("right"), proxy.at("left"))
    made.arrow(proxy.at("right"), hosts.at("left"), words="Service", beside=(0, -8))
    return made
