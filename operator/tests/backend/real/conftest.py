"""The servers of these tests: one that they share, and one of its own for a test that breaks it."""

from __future__ import annotations

import json
import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.backend.real.server import (
    ADAPTERS,
    WEIGHTS,
    Triton,
    serving,
    takes,
    wait_until_ready,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    """The server that the tests share; a test that breaks it starts its own."""
    with serving(tmp_path_factory.mktemp("triton")) as server:
        wait_until_ready(server)
        yield server


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    """A server with the model that was trained to talk, and the parsers that it is made for."""
    parsers = {"tool_call_parser": "hermes", "reasoning_parser": "qwen3"}
    folder = tmp_path_factory.mktemp("talking")
    with serving(folder, parameters=parsers, talking=True) as server:
        wait_until_ready(server)
        yield server


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    """A server with all that a model may have: adapters, parsers, a key, a bound on its queue.

    Its engine takes its time: of the long answers that keep it busy none ends while a test looks.
    """
    adapters = [{"name": name, "path": f"{WEIGHTS}/{name}"} for name in ADAPTERS]
    engine = {
        "enable_lora": True,
        "max_loras": len(adapters),
        "max_lora_rank": 8,
        "max_num_seqs": 2,
        "max_model_len": 2048,
        "scheduling_policy": "priority",
        # Before 0.10 vLLM logs requests unless it is told not to.
        "enable_log_requests": True if takes("enable_log_requests") else None,
    }
    parameters = {
        "lora_adapters": json.dumps(adapters),
        "max_queued_requests": "2",
        "tool_call_parser": "hermes",
        # Of those that find their marks in the text: the tiny model has no tokens for thoughts.
        "reasoning_parser": "granite",
    }
    folder = tmp_path_factory.mktemp("furnished")
    key = secrets.token_hex(16)
    with serving(folder, engine, parameters, key=key, step_seconds=0.02) as server:
        wait_until_ready(server)
        yield server


@pytest.fixture
def start_triton(tmp_path: Path) -> Iterator[Callable[..., Triton]]:
    """Starts a server of the test's own."""
    with ExitStack() as stack:

        def start(
            engine: dict[str, object] | None = None,
            parameters: dict[str, str] | None = None,
            instances: int = 1,
            key: str | None = None,
            step_seconds: float = 0.0,
        ) -> Triton:
            server = serving(
                tmp_path, engine, parameters, instances, key=key, step_seconds=step_seconds
            )
            return stack.enter_context(server)

        yield start
