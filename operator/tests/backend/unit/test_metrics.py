from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from qwen_triton import console
from qwen_triton.metrics import mirror


class Recorder:
    """A sink that remembers the last value of each series."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def gauge(self, name: str, meaning: str, value: float, **labels: str) -> None:
        assert meaning
        self.values[f"gauge {name} {labels}"] = value

    def counter(self, name: str, meaning: str, value: float, **labels: str) -> None:
        assert meaning
        self.values[f"counter {name} {labels}"] = value


def test_vllms_series_keep_their_names_and_the_engines_are_added_up() -> None:
    registry = CollectorRegistry()
    running = Gauge("vllm:num_requests_running", "r", ["engine", "model_name"], registry=registry)
    running.labels("0", "m").set(2)
    running.labels("1", "m").set(3)
    tokens = Counter("vllm:prompt_tokens", "t", ["model_name"], registry=registry)
    tokens.labels("m").inc(7)
    success = Counter("vllm:request_success", "s", ["finished_reason"], registry=registry)
    success.labels("stop").inc()
    first = Histogram("vllm:time_to_first_token_seconds", "f", buckets=[1.0], registry=registry)
    first.observe(0.5)
    Gauge("vllm:something_else", "e", registry=registry).set(1)
    sink = Recorder()
    mirror(registry.collect(), sink)
    assert sink.values == {
        "gauge vllm:num_requests_running {}": 5.0,
        "counter vllm:prompt_tokens_total {}": 7.0,
        "counter vllm:request_success_total {'finished_reason': 'stop'}": 1.0,
        "counter vllm:time_to_first_token_seconds_bucket {'le': '1.0'}": 1.0,
        "counter vllm:time_to_first_token_seconds_bucket {'le': '+Inf'}": 1.0,
        "counter vllm:time_to_first_token_seconds_count {}": 1.0,
        "counter vllm:time_to_first_token_seconds_sum {}": 0.5,
    }


def test_older_names_become_todays() -> None:
    registry = CollectorRegistry()
    Gauge("vllm:gpu_cache_usage_perc", "k", registry=registry).set(0.5)
    Counter("vllm:gpu_prefix_cache_hits", "h", registry=registry).inc(4)
    sink = Recorder()
    mirror(registry.collect(), sink)
    assert sink.values == {
        "gauge vllm:kv_cache_usage_perc {}": 0.5,
        "counter vllm:prefix_cache_hits_total {}": 4.0,
    }


def test_what_a_version_counts_under_both_names_is_shown_under_todays() -> None:
    registry = CollectorRegistry()
    Gauge("vllm:kv_cache_usage_perc", "k", registry=registry).set(0.5)
    Gauge("vllm:gpu_cache_usage_perc", "k", registry=registry).set(0.25)
    sink = Recorder()
    mirror(registry.collect(), sink)
    assert sink.values == {"gauge vllm:kv_cache_usage_perc {}": 0.5}


def test_refused_requests_are_shown_by_cause_from_the_start() -> None:
    program = textwrap.dedent(
        """
        import json, prometheus_client
        from qwen_triton.refusals import BadRequest, Refusal
        from qwen_triton.refused import Refused
        refused = Refused()
        refused.count(BadRequest("prompt", "before the engine is there"))
        refused.open()
        refused.count(BadRequest("prompt", "empty"))
        refused.count(Refusal("the engine failed"))
        print(prometheus_client.generate_latest().decode())
        """
    )
    # In a process of its own: the registry is the process's.
    page = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(console.__file__).parents[1])},
    ).stdout
    for cause, count in {"bad_request": 1, "unavailable": 0, "cancelled": 0, "failed": 1}.items():
        assert f'qwen_requests_refused_total{{cause="{cause}"}} {count}.0' in page


def test_the_console_remembers_what_a_child_prints_and_prints_it_all_the_same() -> None:
    program = textwrap.dedent(
        """
        import subprocess, sys, time
        from qwen_triton.console import Console
        console = Console(remembered=2)
        console.attach()
        say = "import sys; print('one'); print('two', file=sys.stderr); print('three', flush=True)"
        subprocess.run([sys.executable, "-u", "-c", say])
        console.detach()
        deadline = time.monotonic() + 5
        while "three" not in console.lines() and time.monotonic() < deadline:
            time.sleep(0.01)
        print("remembered", console.lines())
        """
    )
    source = Path(console.__file__).parents[1]
    seen = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(source)},
    )
    assert seen.stderr.splitlines() == ["one", "two", "three"]
    assert seen.stdout == "remembered ['two', 'three']\n"
