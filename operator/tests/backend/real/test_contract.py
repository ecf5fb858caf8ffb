"""The metric contract against a real Triton with a real vLLM that has answered requests.

`QWEN_RECORD_METRICS=1` also keeps the page, for tests and pictures that have no Triton.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from monitoring.contract import METRICS, Source
from monitoring.pages import complaints
from tests.backend.real.clients import LONG, MODEL, GrpcStream, ask
from tests.backend.real.server import Triton, until

pytestmark = pytest.mark.triton

CANCELLED = re.compile(r'^qwen_requests_refused_total\{cause="cancelled".*\} [1-9]', re.MULTILINE)
RECORDED = Path(__file__).resolve().parents[4] / "monitoring" / "recorded" / "model-pod.txt"


def use_it(triton: Triton) -> None:
    """Answers that end by themselves and by length, and refused requests."""
    url = f"http://127.0.0.1:{triton.http_port}/v2/models/{MODEL}/generate"
    for prompt in ("Who are you?", "Count to ten", "Who are you?"):
        for sampling in ({"max_tokens": 24}, {"max_tokens": 24, "ignore_eos": True}):
            body = {"prompt": prompt, "sampling_parameters": json.dumps(sampling)}
            assert ask(url, body)[0] == 200
    assert ask(url, {"prompt": "Hi", "sampling_parameters": '{"temprature": 1}'})[0] == 400
    assert ask(url, {"prompt": "word " * 5000})[0] == 400


def leave_it(triton: Triton) -> bool:
    """A client leaves amid its answer; whether that has been counted.

    On a machine short of CPU the engine can be done before the server hears of it.
    """
    stream = GrpcStream(triton.grpc_port)
    stream.ask(prompt="Hello", stream=True, sampling_parameters=LONG)
    assert stream.begun.wait(30)
    stream.close()
    deadline = time.monotonic() + 3
    while not (found := CANCELLED.search(page(triton))) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found is not None


def page(triton: Triton) -> str:
    status, body = ask(f"http://127.0.0.1:{triton.metrics_port}/metrics")
    assert status == 200
    return body.decode()


def test_a_used_triton_shows_exactly_the_contract(triton: Triton) -> None:
    use_it(triton)
    until(lambda: leave_it(triton), 60, "a client who left is counted")
    seen = page(triton)
    if os.environ.get("QWEN_RECORD_METRICS"):
        RECORDED.parent.mkdir(exist_ok=True)
        RECORDED.write_text(seen, encoding="utf-8")
    absent = frozenset(each.name for each in METRICS if each.gpu_only)
    assert complaints(seen, Source.POD, absent=absent) == []
