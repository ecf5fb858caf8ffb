"""What is done to the operator, one phase after the other, and what each measures."""

import asyncio
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from e2e.bench_scale.audit import BENCH_AGENT, OPERATOR_AGENT, WRITES, AuditLog, Request
from e2e.bench_scale.costs import Costs
from e2e.bench_scale.engines import Engines
from e2e.bench_scale.figures import SCRAPE_INTERVAL_SECONDS, Row, spread
from e2e.bench_scale.fleet import RATE, Fleet, name_of
from e2e.bench_scale.lags import lags, of
from e2e.bench_scale.operator_process import OperatorProcess
from e2e.cluster.layout import Layout

_MOST_EDITS = 200
_LOOK_SECONDS = 3.0
_SETTLE_SECONDS = 900.0
_AFTERWARDS_SECONDS = 10.0
_VICTIMS = 60
_DETECT_SECONDS = 60.0
_PASSES = "qwen_operator_reconcile_duration_seconds_count"


@dataclass
class Run:
    """Everything that a phase needs."""

    fleet: Fleet
    engines: Engines
    audit: AuditLog
    operator: OperatorProcess
    layout: Layout
    log: Path
    rows: list[Row] = field(default_factory=list)
    peak: float = 0.0

    def note(self, *rows: Row) -> None:
        """Keep figures, and tell them at once."""
        self.rows += rows
        for row in rows:
            say("  " + "  ".join(row.cells()))

    def note_memory(self) -> None:
        """Remember the most memory that any operator of this run has used."""
        self.peak = max(self.peak, self.operator.memory("VmHWM"))

    def costs(self) -> Costs:
        """Begin to count what every process uses."""
        ours = {"the operator": self.operator.pid, "this benchmark": os.getpid()}
        return Costs(self.layout, ours)

    def writes_since(self, moment: float) -> list[Request]:
        """What the operator wrote since a moment (unix seconds)."""
        return [each for each in self.audit.since(moment, OPERATOR_AGENT) if each.verb in WRITES]


def say(words: str) -> None:
    """Tell a person how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)


async def _all_serving(run: Run) -> None:
    """Wait until every status says so.

    Raises:
        RuntimeError: that takes too long; what they say instead is in the text.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (said := await run.fleet.reasons()) != {"Serving": run.fleet.count}:
        if time.monotonic() > deadline:
            raise RuntimeError(f"not all serve after {_SETTLE_SECONDS:.0f} s: {said}")
        await asyncio.sleep(_LOOK_SECONDS)


async def creation(run: Run) -> None:
    """Make all at a steady rate; wait until all serve."""
    fleet, began, cpu = run.fleet, time.time(), run.operator.cpu_seconds()
    costs = run.costs()
    await fleet.create()
    took = time.time() - began
    used = costs.since()
    say(f"created {fleet.count} in {took:.0f} s")
    await _all_serving(run)
    done, spent = time.time() - began, run.operator.cpu_seconds() - cpu
    causes = of(run.audit.since(began, BENCH_AGENT), "create", "qwendeployments")
    asked = run.audit.since(began, OPERATOR_AGENT)
    applied = of(asked, "patch", "deployments")
    waited = lags(causes, applied)
    run.note(
        Row("QwenDeployments created a second", fleet.count / took),
        Row("QwenDeployments without a Deployment", fleet.count - len(waited), bar=0),
        *spread("created → its Deployment exists", waited, {0.5: 0.05, 0.99: 0.16}),
        Row("first creation → all serving", done, "s"),
        Row("CPU until all serving", spent, "s", 20.0 * fleet.count / 1000),
        *_by_verb(asked, fleet.count),
        *(
            Row(f"of {os.cpu_count()} cores, while creating: {name}", seconds / took, "cores")
            for name, seconds in used.items()
        ),
    )


def _by_verb(asked: list[Request], count: int) -> list[Row]:
    counted = Counter(f"{each.verb} {each.resource}" for each in asked)
    return [
        Row(f"requests for each: {what}", number / count)
        for what, number in sorted(counted.items())
        if number >= count / 10
    ]


async def edits(run: Run) -> None:
    """Change specs at a steady rate, so that a ConfigMap and the pods are made anew."""
    count, began = min(run.fleet.count, _MOST_EDITS), time.time()
    await run.fleet.edit(count)
    await asyncio.sleep(_LOOK_SECONDS)
    causes = of(run.audit.since(began, BENCH_AGENT), "patch", "qwendeployments")
    applied = of(run.audit.since(began, OPERATOR_AGENT), "patch", "deployments")
    waited = lags(causes, applied)
    run.note(
        Row("edits that reached no Deployment", count - len(waited), bar=0),
        *spread(f"edited ({RATE:.0f}/s) → its Deployment is changed", waited, {0.99: 0.3}),
    )
    await _all_serving(run)


async def idleness(run: Run, seconds: float) -> None:
    """Leave it alone."""
    await asyncio.sleep(_AFTERWARDS_SECONDS)
    began, cpu = time.time(), run.operator.cpu_seconds()
    await asyncio.sleep(seconds)
    wrote, spent = run.writes_since(began), run.operator.cpu_seconds() - cpu
    for each in wrote[:5]:
        say(f"an idle write: {each}")
    run.note(
        Row(f"writes in {seconds:.0f} idle seconds", len(wrote), bar=0),
        Row("CPU while idle, of one core", 100 * spent / seconds, "%"),
        Row("memory when idle (RSS)", run.operator.memory(), "MB", 150.0),
    )


async def restart(run: Run) -> None:
    """End it and start another; wait until that has passed over everything."""
    run.note_memory()
    before = await run.fleet.statuses()
    await run.operator.stop()
    run.operator = OperatorProcess(run.layout.admin_kubeconfig, run.log)
    operator, passes = run.operator, 0.0
    while passes < run.fleet.count:
        await asyncio.sleep(0.1)
        found = await operator.metrics()
        if found.get("qwen_operator_queue_depth") or found.get("qwen_operator_workers_busy"):
            continue
        passes = sum(value for name, value in found.items() if name.startswith(_PASSES))
        if time.time() - operator.started > _SETTLE_SECONDS:
            raise RuntimeError(f"only {passes:.0f} passes since the restart")
    took = time.time() - operator.started
    spent = operator.cpu_seconds()
    await asyncio.sleep(_AFTERWARDS_SECONDS)
    wrote = run.writes_since(operator.started)
    after = await run.fleet.statuses() if wrote else {}
    for each in wrote[:3]:
        was, now = before.get(each.name, {}), after.get(each.name, {})
        news = {key: (was.get(key), now.get(key)) for key in now if was.get(key) != now[key]}
        say(f"a write after the restart: {each}; the status changed in {news}")
    run.note(
        Row("process started → all in sync", took, "s", 6.0),
        Row("CPU until then", spent, "s"),
        Row("writes after the restart", len(wrote), bar=0),
    )


async def detection(run: Run) -> None:
    """A tenth of the pods hang; others die one by one, and each must be noticed."""
    addresses = await run.fleet.addresses()
    names = [name_of(number) for number in range(run.fleet.count)]
    chance = random.Random(1)  # noqa: S311 - a choice of victims, no secret
    chance.shuffle(names)
    tenth = run.fleet.count // 10
    run.engines.hanging |= {addresses[name] for name in names[:tenth]}
    # The hanging ones are noticed first, so that their reports are not in the way.
    await asyncio.sleep(6 * SCRAPE_INTERVAL_SECONDS)
    victims = names[tenth : tenth + min(_VICTIMS, run.fleet.count // 2)]
    began, died = time.time(), {}
    for name in victims:
        run.engines.down.add(addresses[name])
        died[name] = time.time()
        await asyncio.sleep(_DETECT_SECONDS / len(victims) * chance.uniform(0.5, 1.5))
    await asyncio.sleep(4 * SCRAPE_INTERVAL_SECONDS)
    told = of(run.writes_since(began), "patch", "qwendeployments/status")
    noticed = []
    for name, moment in died.items():
        later = (each.completed for each in told if each.name == name and each.completed > moment)
        if (first := min(later, default=None)) is not None:
            noticed.append((first - moment) / SCRAPE_INTERVAL_SECONDS)
    said = await run.fleet.reasons()
    say(f"with {tenth} hanging and {len(victims)} dead: {said}")
    lag = spread("lag", noticed, {0.99: 1.5})
    what = f"engine dies, {tenth} of {run.fleet.count} pods hang → status says so"
    run.note(
        Row("dead engines that no status tells of", len(victims) - len(noticed), bar=0),
        *(
            Row(f"{what}{row.what.removeprefix('lag')}", row.measured, "intervals", row.bar)
            for row in lag
        ),
    )


def finish(run: Run) -> None:
    """What is known only at the end."""
    run.note_memory()
    lines = run.log.read_text(encoding="utf-8").splitlines()
    errors = [each for each in lines if " ERROR " in each or " CRITICAL " in each]
    warned = [each for each in lines if " WARNING " in each]
    for each in [*errors[:5], *warned[:5]]:
        say(f"the operator's log: {each}")
    run.note(
        Row("memory at most (RSS)", run.peak, "MB", 150.0),
        Row("lines of level ERROR in the log", len(errors), bar=0),
        Row("lines of level WARNING in the log", len(warned)),
    )
