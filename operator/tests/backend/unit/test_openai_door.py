from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qwen_triton.api_key import VARIABLE
from qwen_triton.failures import describe
from qwen_triton.health import HealthServer, listen
from qwen_triton.liveness import Liveness
from qwen_triton.openai_door import DoorClosed, OpenAIDoor
from qwen_triton.settings import parse_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ARGS = {
    "model_name": "m",
    "model_version": "1",
    "model_repository": "/models/m",
    "model_config": '{"parameters": {}}',
}


@pytest.fixture
def health() -> Iterator[HealthServer]:
    made = HealthServer(listen(0), Liveness(), {})
    yield made
    made.close()


def door(health: HealthServer) -> OpenAIDoor:
    return OpenAIDoor(parse_settings(ARGS, '{"model": "/weights"}', ""), health)


def test_the_endpoint_is_promised_where_a_key_is_set(
    health: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not door(health).is_promised
    monkeypatch.setenv(VARIABLE, "s3cret")
    assert door(health).is_promised


def test_a_vllm_that_keeps_its_application_elsewhere_is_a_failure_of_its_own(
    health: HealthServer,
) -> None:
    """As here, where no vLLM is."""
    with pytest.raises(ImportError) as raised:
        asyncio.run(door(health).open(None, None))
    failure = DoorClosed(describe(raised.value)).failure()
    assert failure.reason == "OpenAIEndpointFailed"
    assert "the OpenAI endpoint cannot be opened" in failure.message
    assert "this vLLM has no build_app" in failure.message


def test_what_is_known_better_keeps_its_reason_and_says_what_it_kept_shut() -> None:
    failure = DoorClosed("OSError: [Errno 28] No space left on device").failure()
    assert failure.reason == "DiskFull"
    assert failure.message.startswith("the OpenAI endpoint cannot be opened: ")
