"""The story as a Prometheus that has scraped it: an hour of samples, written as its own blocks."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from monitoring.contract import BY_SERIES, Source, Type
from monitoring.preview.control_plane import PlayedOperator
from monitoring.preview.engine import STEP, Line, PlayedEngine
from monitoring.preview.story import MINUTES, STORY
from monitoring.prometheus import Prometheus, promtool, running

END: Final = 1_767_268_800.0
"""2026-01-01 12:00 UTC: the same picture every time."""

_NAMESPACE: Final = "qwen-system"
_OPERATORS: Final = {"qwen-operator-7c9d-b4x2f": True, "qwen-operator-7c9d-zk8hn": False}


def _written(line: Line, own: dict[str, str]) -> str:
    name, labels, value = line
    pairs = ",".join(f'{key}="{text}"' for key, text in (own | dict(labels)).items())
    return f"{name}{{{pairs}}} {value!r}"


def _scrapes() -> Iterator[tuple[float, dict[str, str], list[Line]]]:
    """Time, the scrape's own labels, and what the page said."""
    chance = np.random.default_rng(7)
    engines = [PlayedEngine(each, life, chance) for each in STORY for life in each.pods]
    operators = [
        PlayedOperator(pod, leads=leads, chance=chance) for pod, leads in _OPERATORS.items()
    ]
    steps = int(MINUTES * 60 / STEP)
    for step in range(steps + 1):
        now = END - (steps - step) * STEP
        minute = step * STEP / 60
        for engine in engines:
            serving = sum(life.since <= minute for life in engine.played.pods)
            engine.advance(minute, 1 / max(1, serving))
            own = {"namespace": engine.played.namespace, "pod": engine.life.pod}
            yield now, own, list(engine.lines(minute, now))
        for operator in operators:
            operator.advance(minute, now)
            own = {"namespace": _NAMESPACE, "pod": operator.pod}
            yield now, own, list(operator.lines(now))


def page_at_the_end(source: Source) -> str:
    """The last page of the first of its kind, as it would be scraped."""
    pages = [
        lines
        for _, own, lines in _scrapes()
        if lines and (own["namespace"] == _NAMESPACE) == (source is Source.OPERATOR)
    ]
    last = pages[-2]
    kinds = {name: _type(name) for name, _, _ in last}
    heads = [f"# TYPE {name} {kind}" for name, kind in kinds.items()]
    return "\n".join(heads + [_written(line, {}) for line in last]) + "\n"


def _type(series: str) -> str:
    metric = BY_SERIES[series]
    if metric.type is Type.HISTOGRAM and metric.source is Source.POD:
        return Type.COUNTER.value
    return metric.type.value


@contextlib.contextmanager
def playing(folder: Path) -> Iterator[Prometheus]:
    """A real Prometheus that holds the story's samples.

    Args:
        folder: empty; for its data.
    """
    story, data = folder / "story.txt", folder / "data"
    lines = (f"{_written(line, own)} {now:.0f}" for now, own, page in _scrapes() for line in page)
    story.write_text("\n".join(lines) + "\n# EOF\n")
    promtool("tsdb", "create-blocks-from", "openmetrics", str(story), str(data))
    configuration = folder / "prometheus.yaml"
    configuration.write_text("scrape_configs: []\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    # Written samples have no marks of where a series ends; that is guessed from its age.
    with running(
        configuration, data, port, f"--query.lookback-delta={STEP - 1:.0f}s"
    ) as prometheus:
        yield prometheus
