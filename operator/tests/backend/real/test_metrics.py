"""What :8002 shows is what vLLM itself counts, one update later at most."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING

import pytest

from qwen_triton.metrics import HEARTBEAT, MIRRORED
from tests.backend.real.clients import ask
from tests.backend.real.server import until

if TYPE_CHECKING:
    from tests.backend.real.server import Triton

pytestmark = pytest.mark.triton

LINE = re.compile(r"^([\w:]+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
SUFFIX = re.compile(r"_(total|bucket|sum|count)$")
TELLING = re.compile(r'(le|finished_reason)="([^"]*)"')
GAUGES = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
# Seconds are added up in another order.
DUST = 1e-6

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def values(page: bytes) -> Values:
    """Every series by name and by those of its labels that tell it from others of the name."""
    found: Values = {}
    lines = LINE.findall(page.decode())
    families = {SUFFIX.sub("", name) for name, _, _ in lines}
    for name, labels, value in lines:
        family = SUFFIX.sub("", name)
        # Some versions count under both names, the old and the new.
        if family in MIRRORED and (MIRRORED[family] == family or MIRRORED[family] not in families):
            key = name.replace(family, MIRRORED[family], 1), tuple(TELLING.findall(labels))
            found[key] = found.get(key, 0.0) + float(value)
    return found


def counted(triton: Triton) -> Values:
    """What vLLM says."""
    status, page = triton.openai("/metrics")
    assert status == 200
    return values(page)


def shown(triton: Triton) -> Values:
    """What Triton says."""
    _, page = ask(f"http://127.0.0.1:{triton.metrics_port}/metrics")
    return values(page)


def wait_for_an_update(triton: Triton) -> None:
    """Until a whole update lies behind: the heartbeat opens one, the next one ends it."""

    def beat() -> float:
        return triton.series().get(HEARTBEAT, 0.0)

    for _ in range(2):
        before = beat()
        until(lambda before=before: beat() > before, 60, "another update")


def differences(seen: Values, least: Values, most: Values) -> list[str]:
    return [
        f"{key}: {seen.get(key)} is not from {low} to {most[key]}"
        for key, low in least.items()
        if key[0] not in GAUGES and not low - DUST <= seen.get(key, -1.0) <= most[key] + DUST
    ]


def test_under_load_each_value_is_vllms_own_one_update_later_at_most(triton: Triton) -> None:
    ended = threading.Event()
    sampling = json.dumps({"max_tokens": 40, "ignore_eos": True})

    def keep_asking(number: int) -> None:
        while not ended.is_set():
            # Every other one ends by itself: both reasons are counted.
            body: dict[str, object] = {"prompt": f"Hello {number}"}
            if number % 2:
                body["sampling_parameters"] = sampling
            triton.generate(body)

    threads = [threading.Thread(target=keep_asking, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            least = counted(triton)
            wait_for_an_update(triton)
            seen = shown(triton)
            assert differences(seen, least, counted(triton)) == []
            assert seen["vllm:generation_tokens_total", ()] > 0
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    wait_for_an_update(triton)
    at_rest = counted(triton)
    seen = shown(triton)
    assert {key: seen.get(key) for key in at_rest} == pytest.approx(at_rest, rel=DUST)
    names = {name for name, _ in at_rest}
    assert {"vllm:time_to_first_token_seconds_bucket", "vllm:request_success_total"} <= names
    assert set(GAUGES) <= names
