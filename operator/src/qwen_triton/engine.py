"""The vLLM engine on an asyncio loop in a thread of its own, and the watch over its life."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_triton.liveness import Phase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from qwen_triton.chunks import RequestOutput
    from qwen_triton.liveness import Liveness
    from qwen_triton.prompts import Tokenizer
    from qwen_triton.settings import Settings

BEAT_SECONDS = 0.5
# Between two calls that only ask the engine whether it still answers.
ASK_EVERY_SECONDS = 5.0


def is_process_alive(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process exists and is no zombie that nobody has reaped yet."""
    try:
        status = (proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    # The name may hold spaces and brackets: the state follows the last closing one.
    return status.rpartition(")")[2].split()[0] not in "ZX"


class Engine:
    """One AsyncLLM, its loop and its thread."""

    def __init__(
        self, settings: Settings, liveness: Liveness, on_death: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._liveness = liveness
        self._on_death = on_death
        self._loaded: concurrent.futures.Future[BaseException | None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._stop = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.llm: Any = None
        self.dialect: Any = None
        self.tokenizer: Tokenizer | None = None
        self.core_pids: Sequence[int] = ()

    def start(self) -> BaseException | None:
        """Load the model; returns when it has generated its first token.

        Returns:
            What vLLM raised, when it could not be loaded.
        """
        self._thread.start()
        return self._loaded.result()

    def submit(self, work: Coroutine[Any, Any, None]) -> concurrent.futures.Future[None]:
        """Run a coroutine on the engine's loop, from any other thread."""
        if self.loop is None:
            raise RuntimeError("the engine has no loop before it is started")
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    @property
    def has_died(self) -> bool:
        """Whether the engine is beyond recovery."""
        return bool(self.llm.errored) or not all(is_process_alive(pid) for pid in self.core_pids)

    def generate(
        self, tokens: list[int], sampling_params: object, request_id: str
    ) -> AsyncIterator[RequestOutput]:
        """Outputs of one request; cancelling the task that reads them aborts it in the engine."""
        outputs: AsyncIterator[RequestOutput] = self.llm.generate(
            {"prompt_token_ids": tokens}, sampling_params, request_id
        )
        return outputs

    def stop(self, timeout: float) -> None:
        """Shut the engine down."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self.loop = asyncio.get_running_loop()
        load = asyncio.ensure_future(self._load())
        await asyncio.wait([load])
        if load.exception() is not None:
            self._shut_down()
            self._loaded.set_result(load.exception())
            return
        watching = [asyncio.ensure_future(work) for work in (self._watch(), self._ask())]
        self._loaded.set_result(None)
        await self._stop.wait()
        for watch in watching:
            watch.cancel()
        self._shut_down()

    def _shut_down(self) -> None:
        if self.llm is not None:
            self.llm.shutdown()

    async def _load(self) -> None:
        self._liveness.enter(Phase.IMPORTING)
        from qwen_triton import vllm_dialect  # noqa: PLC0415  imports vllm and torch

        self.dialect = vllm_dialect
        arguments = vllm_dialect.engine_arguments(
            self._settings.engine_arguments, self._settings.served_model_name
        )
        self._liveness.enter(Phase.LOADING)
        self.llm = vllm_dialect.start_engine(arguments)
        self.core_pids = vllm_dialect.core_pids(self.llm)
        self.tokenizer = await vllm_dialect.tokenizer_of(self.llm)
        self._liveness.enter(Phase.WARMING)
        await self._warm_up()

    async def _warm_up(self) -> None:
        """One token through everything: some engines load well and die at their first request."""
        params = self.dialect.sampling_params({"max_tokens": 1, "temperature": 0.0}, stream=False)
        # Any token will do.
        async for _ in self.generate([0], params, "warm-up"):
            pass

    async def _watch(self) -> None:
        """Beat while the engine lives; notice when it does not."""
        while not self.has_died:
            self._liveness.beat()
            await asyncio.sleep(BEAT_SECONDS)
        self._on_death()

    async def _ask(self) -> None:
        """Ask the engine something trivial: a process can live and hang. No answer, no beat."""
        while True:
            await self.llm.is_sleeping()
            self._liveness.answer()
            await asyncio.sleep(ASK_EVERY_SECONDS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The uvloop that vllm brings; where it is missing, asyncio's own loop does."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
