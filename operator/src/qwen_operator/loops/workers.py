"""Workers: take a key, make a pass, repeat it later if it failed."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from qwen_operator.errors import OperatorError, Postponed, Unreachable
from qwen_operator.loops.backoff import Backoff
from qwen_operator.loops.logs import FIELDS
from qwen_operator.loops.meters import Meters
from qwen_operator.loops.queue import Queue
from qwen_operator.naming import Key

log = logging.getLogger(__name__)

Pass = Callable[[Key], Awaitable[None]]


async def _attempt(key: Key, one_pass: Pass) -> tuple[str, float | None]:
    """Make one pass; return its outcome and the least seconds to wait before another."""
    try:
        await one_pass(key)
    except Postponed as problem:
        return "postponed", problem.seconds
    except Unreachable as problem:
        log.warning("%s: %s", key, problem)
        return "unreachable", problem.retry_after
    except OperatorError as problem:
        log.warning("%s: %s", key, problem)
        return type(problem).__name__.lower(), None
    except Exception:  # a defect in one pass must not stop the others
        log.exception("%s: the pass failed unexpectedly", key)
        return "defect", None
    return "done", None


async def work(queue: Queue, one_pass: Pass, backoff: Backoff, meters: Meters) -> None:
    """Be one worker, for ever."""
    while True:
        key = await queue.get()
        started = time.monotonic()
        outcome, at_least = await _attempt(key, one_pass)
        took = time.monotonic() - started
        meters.passes.labels(outcome=outcome).observe(took)
        said = {"namespace": key.namespace, "name": key.name, "outcome": outcome}
        log.debug(
            "%s: pass %s in %.3f s",
            key,
            outcome,
            took,
            extra={FIELDS: {**said, "seconds": round(took, 4)}},
        )
        if outcome == "done":
            backoff.passed(key)
        elif outcome == "postponed":
            queue.poke(key, at_least or 0.0)
        else:
            queue.poke(key, backoff.failed(key, at_least))
        queue.done(key)
        await asyncio.sleep(0)
