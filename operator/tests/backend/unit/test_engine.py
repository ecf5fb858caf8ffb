from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

import qwen_triton
from qwen_triton.engine import Engine
from qwen_triton.liveness import Liveness
from qwen_triton.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable


class Dialect:
    """As much of vLLM as an engine loads with; keeps the ids of what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., object]:
        return lambda *_, **__: None

    def start_engine(self, _: object) -> object:
        async def is_sleeping() -> bool:
            return False

        return SimpleNamespace(errored=False, is_sleeping=is_sleeping, shutdown=lambda: None)

    def core_pids(self, _: object) -> list[int]:
        return []

    async def tokenizer_of(self, _: object) -> None:
        await asyncio.sleep(0)

    async def load_adapters(self, *_: object) -> None:
        await asyncio.sleep(0)

    async def answer(
        self,
        _: object,
        tokens: list[int],
        __: object,
        request_id: str,
        *___: object,
        **____: object,
    ) -> None:
        assert tokens
        self.asked.append(request_id)


@pytest.fixture
def dialect(monkeypatch: pytest.MonkeyPatch) -> Dialect:
    made = Dialect()
    monkeypatch.setattr(qwen_triton, "vllm_dialect", made, raising=False)
    return made


def test_instances_that_warm_up_one_engine_at_once_give_their_requests_different_names(
    dialect: Dialect,
) -> None:
    for instance in (0, 1):
        settings = Settings("m", "1", "m", {"model": "/weights/x"}, instance=instance)
        engine = Engine(settings, Liveness(), None, on_beat=lambda: None, on_death=lambda: None)
        assert engine.start() is None
        engine.stop(10)
    assert len(dialect.asked) == len(set(dialect.asked)) == 2
