"""An invented fleet behind the real page: the operator's own server, store and engines.

For what no test cluster has: none or a thousand models, words of strangers, and pictures that show
every state at once. Times and figures are invented; everything that shows them is not.
"""

import asyncio
import contextlib
import itertools
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from qwen_operator import naming
from qwen_operator.facts import Progress
from qwen_operator.load import Load
from qwen_operator.observe.capacity import Capacity
from qwen_operator.observe.engines import Engines
from qwen_operator.observe.sights import Watched
from qwen_operator.observe.store import Store
from qwen_operator.observe.warnings import Warnings
from qwen_operator.page.server import Page, serve_page
from qwen_operator.settings import Settings
from qwen_operator.status.reasons import BY_NAME
from qwen_operator.triton.metrics import Reading
from qwen_operator.triton.openai import Piece, Question

Json = dict[str, Any]

_PATIENCE_SECONDS = 3600.0
_versions = itertools.count(1)


def ago(seconds: float) -> str:
    """A moment in RFC 3339."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of an invented model.

    Attributes:
        reached: seconds ago that it was created, scheduled, started, ready; fewer while it starts.
        tokens: a second, once it serves.
        running: requests.
        waiting: requests.
        cache: share of the KV cache in use.
        told: what its backend tells of its start: phase → seconds ago that it began.
        download: bytes that it has, and all of them.
    """

    reached: tuple[float, ...]
    tokens: float = 0.0
    running: int = 0
    waiting: int = 0
    cache: float = 0.0
    told: Mapping[str, float] = field(default_factory=dict)
    download: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Invented:
    """One invented QwenDeployment.

    Attributes:
        name: the resource's.
        source: spec.model.source.
        reason: of its Ready condition.
        message: of its Ready condition.
        since: seconds ago that the condition changed.
        namespace: the resource's.
        gpus: of a pod.
        pods: its pods.
        wanted: spec.replicas.
        spec: more of the spec.
        status: more of the status.
    """

    name: str
    source: str
    reason: str = "Serving"
    message: str = ""
    since: float = 86400
    namespace: str = "chat"
    gpus: int = 1
    pods: tuple[Pod, ...] = ()
    wanted: int = 1
    spec: Json = field(default_factory=dict)
    status: Json = field(default_factory=dict)

    def pod_name(self, number: int) -> str:
        """The name of one of its pods."""
        return f"{naming.child_name(self.name)}-7d9f5c-{number:05x}"

    def resource(self) -> Json:
        """As the API server would show it."""
        serving = sum(len(pod.reached) == len(_STAGES) for pod in self.pods)
        ready = {
            "type": "Ready",
            "status": "True" if self.reason == "Serving" else "False",
            "reason": self.reason,
            "message": self.message or "all pods answer",
            "lastTransitionTime": ago(self.since),
        }
        accepted = {**ready, "type": "Accepted", "status": "True", "reason": "Valid"}
        accepted["message"] = "the spec is valid"
        child = naming.child_name(self.name)
        status: Json = {
            "conditions": [accepted, ready],
            "replicas": len(self.pods),
            "readyReplicas": serving,
            "endpoints": {"grpc": f"{child}.{self.namespace}.svc:8001"},
            **self.status,
        }
        if BY_NAME[self.reason].value.failing and "failure" not in status:
            remedy = BY_NAME[self.reason].value.remedy
            status["failure"] = {"reason": self.reason, "message": self.message}
            status["failure"]["suggestion"] = remedy
        return {
            "apiVersion": naming.API_VERSION,
            "kind": naming.KIND,
            "metadata": self._metadata(self.name, f"uid-of-{self.namespace}-{self.name}"),
            "spec": {
                "model": {"source": self.source},
                "replicas": self.wanted,
                "resources": {"gpus": self.gpus},
                **self.spec,
            },
            "status": status,
        }

    def _metadata(self, name: str, uid: str) -> Json:
        return {
            "name": name,
            "namespace": self.namespace,
            "uid": uid,
            "resourceVersion": str(next(_versions)),
        }

    def pod_bodies(self, address: Callable[[], str]) -> list[tuple[Json, Pod]]:
        """Its pods as the API server would show them."""
        uid = f"uid-of-{self.namespace}-{self.name}"
        made = []
        for number, pod in enumerate(self.pods):
            name = self.pod_name(number)
            metadata = self._metadata(name, f"{uid}-{number}") | {
                "creationTimestamp": ago(pod.reached[0]),
                "labels": {naming.UID_LABEL: uid},
                "annotations": {naming.OWNER_ANNOTATION: self.name},
            }
            body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, **_pod(pod, address())}
            made.append((body, pod))
        return made


_STAGES = ("created", "scheduled", "started", "ready")


def _pod(pod: Pod, address: str) -> Json:
    moments = dict(zip(_STAGES, map(ago, pod.reached), strict=False))
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": moments[stage]}
        for kind, stage in (("PodScheduled", "scheduled"), ("Ready", "ready"))
        if stage in moments
    ]
    state: Json = {"waiting": {"reason": "ContainerCreating", "message": ""}}
    if "started" in moments:
        state = {"running": {"startedAt": moments["started"]}}
    container = {"name": naming.CONTAINER, "state": state, "restartCount": 0}
    spec = {"nodeName": f"gpu-{len(address) % 7}"} if "scheduled" in moments else {}
    return {
        "spec": {**spec, "containers": [{"name": naming.CONTAINER}]},
        "status": {
            "phase": "Running" if "started" in moments else "Pending",
            "podIP": address,
            "conditions": conditions,
            "containerStatuses": [container] if "scheduled" in moments else [],
        },
    }


class Playing:
    """`triton.metrics.Scraper` of pods whose counters go on by themselves."""

    def __init__(self) -> None:
        self.pods: dict[str, Pod] = {}
        self.time = 0.0

    async def read(self, address: str) -> Reading | None:
        """See `Scraper`."""
        pod = self.pods.get(address)
        if pod is None or len(pod.reached) < len(_STAGES):
            return None
        written = pod.tokens * self.time + 6 * pod.tokens * math.sin(self.time / 9 + pod.tokens)
        load = Load(pod.running, pod.waiting, pod.cache, written + 1e6, 3 * written + 3e6, 1)
        return Reading(up=True, heartbeat=self.time, load=load)

    async def offers(self, address: str, model: str) -> bool | None:
        """See `Scraper`."""
        return bool(address and model)

    async def progress(self, address: str) -> Progress | None:
        """See `Scraper`."""
        pod = self.pods.get(address)
        if pod is None or not pod.told:
            return None
        now = datetime.now(UTC).timestamp()
        began = {name: now - ago for name, ago in pod.told.items()}
        return Progress(list(pod.told)[-1], began, pod.download)


class Answering:
    """`triton.openai.Talker` that says what it is told to.

    Attributes:
        answer: what it says, a word at a time.
        pause: seconds before each word.
        asked: what it was asked.
        cancelled: set once an answer was not heard to its end.
    """

    def __init__(self, answer: str = "", pause: float = 0.0) -> None:
        self.answer, self.pause = answer, pause
        self.asked: list[tuple[str, Question]] = []
        self.cancelled = asyncio.Event()

    async def ask(self, address: str, question: Question) -> AsyncGenerator[Piece]:
        """See `Talker`."""
        self.asked.append((address, question))
        words = self.answer.split(" ")
        try:
            for number, word in enumerate(words):
                await asyncio.sleep(self.pause)
                yield Piece(text=word if number == 0 else f" {word}")
            yield Piece(finish="stop", tokens=len(words))
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise


class Fleet:
    """A store, engines and a page over invented models."""

    def __init__(self, models: Iterable[Invented] = ()) -> None:
        self.playing, self.store = Playing(), Store()
        self.engines = Engines(self.playing, 64, _PATIENCE_SECONDS, lambda: self.playing.time)
        self._addresses = (f"10.0.{n // 250}.{n % 250 + 1}" for n in itertools.count())
        for each in models:
            self.put(each)

    def put(self, one: Invented) -> None:
        """A model appears, or is another now."""
        self.store.put(one.resource())
        for body, pod in one.pod_bodies(lambda: next(self._addresses)):
            self.playing.pods[body["status"]["podIP"]] = pod
            self.store.put(body)

    def drop(self, one: Invented) -> None:
        """A model is deleted."""
        self.store.drop(one.resource())

    async def play(self, seconds: float = 4.0) -> None:
        """Time goes on, and every pod is read."""
        self.playing.time += seconds
        for pod in self.store.pods():
            await self.engines.read(pod)

    @property
    def watched(self) -> Watched:
        """What a page looks at."""
        still = Warnings(lambda: 0.0), Capacity(lambda: 0.0)
        return Watched(self.store, self.engines, *still)

    @contextlib.asynccontextmanager
    async def served(
        self,
        port: int,
        talker: Answering | None = None,
        standby: Callable[[], str | None] = lambda: None,
    ) -> AsyncIterator[str]:
        """The page over it, on loopback; with a chat box where somebody talks."""
        settings = Settings(page_port=port, page_chat=talker is not None)
        page = Page(self.watched, settings, talker or Answering(), standby)
        async with serve_page(page):
            yield f"http://localhost:{port}/"
