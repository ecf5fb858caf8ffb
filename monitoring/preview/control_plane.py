"""A played operator: the real meters, fed by the story."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np

from monitoring.preview.engine import STEP, Line
from monitoring.preview.story import STORY, Played
from qwen_operator import naming
from qwen_operator.loops.fleet import Fleet
from qwen_operator.loops.meters import Meters
from qwen_operator.observe.store import Store
from qwen_operator.status.reasons import Reason

Json = dict[str, Any]

_IMAGE = "nvcr.io/nvidia/tritonserver:26.08-vllm-python-py3"
_MEGABYTE = 1e6
_START = {
    "scheduledSeconds": 2,
    "pulledSeconds": 21,
    "downloadedSeconds": 19,
    "loadedSeconds": 51,
    "readySeconds": 4,
}


def _status(played: Played, minute: float, since: float) -> Json:
    reason, suggestion = played.state(minute)
    serving = sum(life.serves(minute) for life in played.pods)
    moment = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made: Json = {
        "image": _IMAGE,
        "replicas": sum(life.since - 6 <= minute for life in played.pods),
        "readyReplicas": serving,
        "conditions": [
            {
                "type": "Ready",
                "status": "True" if reason == Reason.Serving.name else "False",
                "reason": reason,
                "lastTransitionTime": moment,
            }
        ],
    }
    if played.pods:
        made["startup"] = _START
    if Reason[reason].value.failing:
        made["failure"] = {"suggestion": suggestion}
    return made


class PlayedOperator:
    """One operator pod of the story."""

    def __init__(self, pod: str, *, leads: bool, chance: np.random.Generator) -> None:
        self.pod, self._leads, self._chance = pod, leads, chance
        self._meters, self._store = Meters(), Store()
        self._meters.leader.set(float(leads))
        self._meters.healthy.set(1)
        self._meters.count_resources(self._store.reasons)
        self._meters.show(Fleet(self._store))
        self._changed: dict[str, tuple[bool, float]] = {}
        self._version = 0
        self._cpu = 40.0

    def advance(self, minute: float, now: float) -> None:
        """Play one step."""
        if not self._leads:
            self._cpu += 0.004 * STEP
            return
        self._version += 1
        for played in STORY:
            self._put(played, minute, now)
        changes = sum(self._changed[each.name][1] == now for each in STORY)
        passes = int(self._chance.poisson(2)) + 8 * changes
        for took in 0.006 * np.exp(0.5 * self._chance.standard_normal(passes)):
            self._meters.passes.labels(outcome="done").observe(float(took * (1 + 3 * changes)))
        for verb, kind, code, mean in (
            ("patch", "QwenDeployment", 200, 0.5 + 4 * changes),
            ("patch", "Deployment", 200, 0.1 + 2 * changes),
            ("get", "ConfigMap", 404, 0.3 * changes),
            ("create", "Event", 201, 2 * changes),
            ("patch", "Service", 409, 0.02),
        ):
            for _ in range(int(self._chance.poisson(mean))):
                self._meters.requested(verb, kind, code)
        pods = sum(life.since <= minute for each in STORY for life in each.pods)
        for _ in range(int(STEP / 5)):
            for took in 0.004 * np.exp(0.4 * self._chance.standard_normal(pods)):
                self._meters.scrapes.observe(float(took))
            self._meters.scrape_cycle.observe(float(0.012 + 0.004 * self._chance.random()))
        if changes:
            self._meters.scrape_failures.inc(3)
        if self._version % 20 == 0:
            self._meters.sweeps.labels(outcome="done").inc()
        self._meters.queued.set(int(self._chance.poisson(0.03 + 2 * changes)))
        self._meters.oldest.set(float(self._chance.random() * 0.3 * (1 + 4 * changes)))
        self._meters.busy.set(int(self._chance.poisson(0.08 + 2 * changes)))
        self._meters.last_event.set(now - 2)
        self._cpu += (0.02 + 0.03 * changes + 0.004 * self._chance.random()) * STEP

    def _put(self, played: Played, minute: float, now: float) -> None:
        ready = played.state(minute)[0] == Reason.Serving.name
        before = self._changed.get(played.name, (ready, now - 26 * 3600))
        self._changed[played.name] = before if before[0] == ready else (ready, now)
        if ready and not before[0]:
            self._meters.started(_START)
        spec = {
            "model": {"source": played.source},
            "replicas": int(played.wanted(minute)),
            "resources": {"gpus": played.gpus},
        }
        self._store.put(
            {
                "kind": naming.KIND,
                "metadata": {
                    "namespace": played.namespace,
                    "name": played.name,
                    "uid": played.name,
                    "resourceVersion": str(self._version),
                },
                "spec": spec,
                "status": _status(played, minute, self._changed[played.name][1]),
            }
        )

    def lines(self, now: float) -> Iterator[Line]:
        """What :8080 shows; of the process invented figures, for it is not this one."""
        for family in self._meters.registry.collect():
            for sample in family.samples:
                if not sample.name.startswith("process_") and not sample.name.endswith("_created"):
                    yield sample.name, tuple(sample.labels.items()), float(sample.value)
        memory = (96 if self._leads else 71) * _MEGABYTE
        yield "process_cpu_seconds_total", (), self._cpu
        yield "process_resident_memory_bytes", (), memory + self._chance.random() * _MEGABYTE
        yield "process_virtual_memory_bytes", (), 4 * memory
        yield "process_start_time_seconds", (), now // 864000 * 864000
        yield "process_open_fds", (), 24.0
        yield "process_max_fds", (), 1048576.0
