"""A played engine: requests arrive, queue, are answered; its counters are vLLM's and ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from monitoring.pages import samples
from monitoring.preview.story import Life, Played

STEP: Final = 15.0
"""Seconds between two scrapes."""

Labels = tuple[tuple[str, str], ...]
Line = tuple[str, Labels, float]
Floats = npt.NDArray[np.float64]

_RECORDED: Final = Path(__file__).resolve().parents[1] / "recorded" / "model-pod.txt"
_BATCH: Final = 96
_SHARES: Final = {"stop": 0.86, "length": 0.13, "abort": 0.0, "error": 0.0, "repetition": 0.01}
_MOST: Final = 600


def bounds() -> dict[str, list[str]]:
    """Histogram → its buckets' bounds, as a real vLLM has them."""
    found: dict[str, list[str]] = {}
    for each in samples(_RECORDED.read_text(encoding="utf-8")):
        if each.name.endswith("_bucket"):
            found.setdefault(each.name.removesuffix("_bucket"), []).append(each.labels["le"])
    return {name: sorted(set(texts), key=float) for name, texts in found.items()}


class Histogram:
    """Observations by bucket."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self._edges = np.array([float(each) for each in texts])
        self._counts = np.zeros(len(texts))
        self._sum = 0.0

    def observe(self, values: Floats, weight: float) -> None:
        """Add observations, each standing for `weight` of them."""
        places = np.searchsorted(self._edges, values)
        np.add.at(self._counts, places, weight)
        self._sum += float(values.sum()) * weight

    def lines(self, name: str) -> Iterator[Line]:
        """Its series."""
        total = np.cumsum(self._counts).round()
        for text, value in zip(self.texts, total, strict=True):
            yield f"{name}_bucket", (("le", text),), float(value)
        yield f"{name}_sum", (), self._sum
        yield f"{name}_count", (), float(total[-1])


class PlayedEngine:
    """The engine of one pod of the story."""

    def __init__(self, played: Played, life: Life, chance: np.random.Generator) -> None:
        self.played, self.life, self._chance = played, life, chance
        self._waiting = 0.0
        self._running = 0.0
        self._counters: dict[tuple[str, Labels], float] = {}
        self._histograms = {name: Histogram(texts) for name, texts in bounds().items()}
        for reason in _SHARES:
            self._count("vllm:request_success_total", 0, finished_reason=reason)
        for cause in ("bad_request", "unavailable", "cancelled", "failed"):
            self._count("qwen_requests_refused_total", 0, cause=cause)

    def advance(self, minute: float, share: float) -> None:
        """Play one step.

        Args:
            minute: of the story.
            share: of the model's arrivals that this pod gets.
        """
        arriving = self.played.arrivals(minute) * share
        if not self.life.serves(minute):
            self._waiting = self._running = 0.0
            return
        room = self.played.capacity
        self._waiting = max(0.0, self._waiting + (arriving - room) * STEP)
        done = min(arriving, room) if self._waiting == 0 else room
        load = min(1.0, done / room)
        self._answer(done * STEP, load)
        failed = self.played.failing(minute) * arriving * STEP
        self._count("qwen_requests_refused_total", failed, cause="failed")
        self._count("qwen_requests_refused_total", 0.01 * arriving * STEP, cause="bad_request")
        self._count("qwen_requests_refused_total", 0.02 * arriving * STEP, cause="cancelled")
        if self._waiting > room * 6:
            self._count("vllm:num_preemptions_total", 0.4 * STEP)

    def _answer(self, requests: float, load: float) -> None:
        played, number = self.played, int(min(_MOST, max(3, requests)))
        waited = self._waiting / played.capacity
        slower = 1 + 1.6 * load**3
        queued = self._spread(0.004 + waited, 0.25 if waited else 0.9, number)
        first = queued + self._spread(played.first_token * slower, 0.35, number)
        pace = self._spread(played.next_token * slower, 0.16, _MOST)
        long_prompts = self._chance.random(_MOST) < 0.06 * load
        tokens = self._chance.poisson(played.answer, number).astype(np.float64)
        weight = requests / number
        generated = float(tokens.sum()) * weight
        whole = first + tokens * played.next_token * slower
        self._histograms["vllm:request_queue_time_seconds"].observe(queued, weight)
        self._histograms["vllm:time_to_first_token_seconds"].observe(first, weight)
        self._histograms["vllm:e2e_request_latency_seconds"].observe(whole, weight)
        pace = np.where(long_prompts, pace * 5, pace)
        self._histograms["vllm:inter_token_latency_seconds"].observe(pace, generated / _MOST)
        self._count("vllm:generation_tokens_total", generated)
        self._count("vllm:prompt_tokens_total", 420 * requests)
        self._count("vllm:prefix_cache_queries_total", 420 * requests)
        self._count("vllm:prefix_cache_hits_total", (0.42 + 0.1 * load) * 420 * requests)
        for reason, part in _SHARES.items():
            self._count("vllm:request_success_total", part * requests, finished_reason=reason)
        self._count("nv_inference_request_success", requests)
        self._running = min(_BATCH, requests / STEP * float(np.mean(whole - queued)))

    def _spread(self, median: float, width: float, number: int) -> Floats:
        made: Floats = median * np.exp(width * self._chance.standard_normal(number))
        return made

    def _count(self, name: str, by: float, **labels: str) -> None:
        key = (name, tuple(labels.items()))
        self._counters[key] = self._counters.get(key, 0.0) + by

    def lines(self, minute: float, now: float) -> Iterator[Line]:
        """What :8002 shows; nothing while the engine is loaded anew."""
        if self.life.serves(minute):
            for name, labels, value in self._bare(now):
                yield name, (*self._labels(name), *labels), value

    def _labels(self, name: str) -> Labels:
        """Which labels Triton gives a series, and which the backend."""
        served = (("model", self.played.name), ("version", "1"))
        if name.startswith("nv_gpu"):
            return ()
        return served if name.startswith("nv_") else (*served, ("model_name", self.played.name))

    def _bare(self, now: float) -> Iterator[Line]:
        busy = self._running / _BATCH
        full = min(0.985, 0.12 + 0.75 * busy + min(0.3, self._waiting / 60))
        yield "qwen_engine_up", (), 1.0
        yield "qwen_engine_heartbeat_timestamp_seconds", (), now - 0.6
        yield "qwen_engine_info", (("vllm_version", "0.27.1"),), 1.0
        yield "qwen_openai_endpoint_up", (), 1.0
        yield "vllm:num_requests_running", (), round(self._running)
        yield "vllm:num_requests_waiting", (), round(self._waiting)
        yield "vllm:kv_cache_usage_perc", (), full
        yield (
            "vllm:num_preemptions_total",
            (),
            self._counters.get(("vllm:num_preemptions_total", ()), 0.0),
        )
        for (name, labels), value in self._counters.items():
            if name != "vllm:num_preemptions_total":
                yield name, labels, round(value)
        for name, histogram in self._histograms.items():
            yield from histogram.lines(name)
        for reason in ("BACKEND", "CANCELED", "OTHER", "REJECTED"):
            yield "nv_inference_request_failure", (("reason", reason),), 0.0
        yield from self._gpus(busy)

    def _gpus(self, busy: float) -> Iterator[Line]:
        total = 80 * 2**30
        for number in range(self.played.gpus):
            of = (("gpu_uuid", f"GPU-{self.life.pod[-5:]}-{number}"),)
            used = min(0.99, 0.25 + 0.72 * busy**0.5) + self._chance.normal(0, 0.01)
            yield "nv_gpu_utilization", of, float(np.clip(used, 0, 1))
            yield "nv_gpu_memory_used_bytes", of, 0.9 * total
            yield "nv_gpu_memory_total_bytes", of, float(total)
            yield "nv_gpu_power_usage", of, 120 + 500 * busy
