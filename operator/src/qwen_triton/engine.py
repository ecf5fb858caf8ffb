"""The vLLM engine on an asyncio loop in a thread of its own, and the watch over its life."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from qwen_triton.downloading import downloaded
from qwen_triton.liveness import Phase
from qwen_triton.processes import is_process_alive

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from vllm.engine.arg_utils import AsyncEngineArgs

    from qwen_triton.chunks import RequestOutput
    from qwen_triton.liveness import Liveness
    from qwen_triton.prompts import Tokenizer
    from qwen_triton.roster import Roster
    from qwen_triton.settings import Settings
    from qwen_triton.vllm_sharing import Core

BEAT_SECONDS = 0.5
# Between two calls that only ask the engine whether it still answers: at most this, and several
# within the time after which it is called stuck.
ASK_EVERY_SECONDS = 5.0
_ASKED_IN_SILENCE = 4


class Engine:
    """One AsyncLLM, its loop and its thread.

    Args:
        settings: the model.
        liveness: is told of each phase and answer.
        roster: the instances that share the engine; None where this process has it alone.
        on_beat: called on the loop twice a second while the engine lives.
        on_death: called on the loop, once, when the engine is beyond recovery.
    """

    def __init__(
        self,
        settings: Settings,
        liveness: Liveness,
        roster: Roster | None,
        *,
        on_beat: Callable[[], None],
        on_death: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._liveness = liveness
        self._roster = roster
        self._on_beat = on_beat
        self._on_death = on_death
        self._core: Core | None = None
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

    async def answer(
        self,
        tokens: list[int],
        sampling_params: object,
        request_id: str,
        hear: Callable[[RequestOutput], None],
        *,
        options: Mapping[str, object] | None = None,
    ) -> None:
        """Answer one request: each output goes to `hear` as it comes, on the loop.

        Cancelling the task that waits for this aborts the request in the engine.
        """
        await self.dialect.answer(
            self.llm, tokens, sampling_params, request_id, hear, options=options
        )

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
        if self._core is not None:
            self._core.stop()

    async def _load(self) -> None:
        self._liveness.enter(Phase.IMPORTING)
        from qwen_triton import vllm_dialect  # noqa: PLC0415  imports vllm and torch

        self.dialect = vllm_dialect
        arguments = vllm_dialect.engine_arguments(
            self._settings.engine_arguments, self._settings.served_model_name
        )
        if vllm_dialect.comes_from_afar(arguments) and (
            self._roster is None or self._roster.index == 0
        ):
            self._liveness.download = partial(downloaded, arguments.model)
            self._liveness.enter(Phase.DOWNLOADING)
            vllm_dialect.download(arguments)
        self._liveness.enter(Phase.LOADING)
        if self._roster is None:
            self.llm = vllm_dialect.start_engine(arguments)
            self.core_pids = vllm_dialect.core_pids(self.llm)
        else:
            await self._share(arguments, self._roster)
        self.tokenizer = await vllm_dialect.tokenizer_of(self.llm)
        await vllm_dialect.load_adapters(self.llm, self._settings.adapters)
        self._liveness.enter(Phase.WARMING)
        await self._warm_up()
        vllm_dialect.settle()

    async def _share(self, arguments: AsyncEngineArgs, roster: Roster) -> None:
        """The first instance starts the engine, and all of them attach to it."""
        from qwen_triton import vllm_sharing  # noqa: PLC0415  imports vllm

        if roster.index == 0:
            self._core = vllm_sharing.launch(arguments, roster)
            roster.publish(self._core.shared)
        shared = await roster.engine()
        self.llm = vllm_sharing.attach(arguments, shared, roster)
        self.core_pids = shared.pids

    async def _warm_up(self) -> None:
        """One token through everything: some engines load well and die at their first request."""
        params = self.dialect.sampling_params({"max_tokens": 1, "temperature": 0.0}, stream=False)
        # Any token will do.
        # All instances ask at the same time, and before 0.13 an id is one for the whole engine.
        name = f"warm-up-{self._settings.instance}"
        await self.answer([0], params, name, lambda _: None)

    async def _watch(self) -> None:
        """Beat while the engine lives; notice when it does not."""
        while not self.has_died:
            self._on_beat()
            await asyncio.sleep(BEAT_SECONDS)
        self._on_death()

    async def _ask(self) -> None:
        """Ask the engine something trivial: a process can live and hang. No answer, no beat."""
        often = self._settings.engine_silence_seconds / _ASKED_IN_SILENCE
        while True:
            await self.llm.is_sleeping()
            self._liveness.answer()
            await asyncio.sleep(min(ASK_EVERY_SECONDS, often))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The uvloop that vllm brings; where it is missing, asyncio's own loop does."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
