"""An invented hour of an invented fleet: what the pictures show, told as numbers over time.

Five models: one is well, one is overrun for a quarter of an hour until a third pod helps, one fails
requests until its engine dies at the end, one waits for GPUs, one is suspended.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from qwen_operator.status.reasons import Reason

MINUTES: Final = 75
"""The first 15 are not shown: rates need a past."""

Curve = Callable[[float], float]
"""Minute → value."""


def wave(mean: float, swing: float, period: float, shift: float = 0.0) -> Curve:
    """A value that goes up and down."""
    return lambda minute: mean + swing * float(np.sin(2 * np.pi * (minute - shift) / period))


def surge(plain: Curve, start: float, end: float, factor: float) -> Curve:
    """Another curve, multiplied between two minutes, with soft edges."""

    def value(minute: float) -> float:
        up = 1 / (1 + np.exp(-(minute - start) * 1.2))
        down = 1 / (1 + np.exp(-(minute - end) * 1.2))
        return plain(minute) * (1 + (factor - 1) * float(up - down))

    return value


@dataclass(frozen=True, slots=True)
class Life:
    """When a pod's engine serves.

    Attributes:
        pod: its name.
        since: minute at which it became ready.
        dead: minutes between which its engine was gone.
    """

    pod: str
    since: float = -60.0
    dead: tuple[float, float] = (1e9, 1e9)

    def serves(self, minute: float) -> bool:
        """Whether it answers."""
        return self.since <= minute and not self.dead[0] <= minute < self.dead[1]


@dataclass(frozen=True, slots=True)
class Played:
    """One QwenDeployment of the story.

    Attributes:
        namespace: where.
        name: the QwenDeployment, and its model's name.
        source: of the weights.
        gpus: a pod's.
        pods: its pods over time.
        wanted: pods wanted over time.
        arrivals: requests a second over time.
        capacity: requests a second that one pod can take.
        first_token: seconds, when nothing waits.
        next_token: seconds.
        answer: tokens of an answer.
        failing: share of requests that the engine fails, over time.
        reason: of not being ready, over time; empty while it serves.
        suggestion: the status's own, where it has one.
    """

    namespace: str
    name: str
    source: str
    gpus: int
    pods: tuple[Life, ...] = ()
    wanted: Curve = field(default=lambda _: 1.0)
    arrivals: Curve = field(default=lambda _: 0.0)
    capacity: float = 1.0
    first_token: float = 0.08
    next_token: float = 0.01
    answer: int = 180
    failing: Curve = field(default=lambda _: 0.0)
    reason: Callable[[float], str] = field(default=lambda _: "")
    suggestion: str = ""

    def state(self, minute: float) -> tuple[str, str]:
        """Reason and suggestion of the Ready condition."""
        reason = self.reason(minute) or Reason.Serving.name
        return reason, self.suggestion or Reason[reason].value.remedy


STORY: Final = (
    Played(
        "chat",
        "qwen-7b-chat",
        "hf://Qwen/Qwen1.5-7B-Chat",
        1,
        pods=(Life("qwen-7b-chat-6c9f-2xkqp"), Life("qwen-7b-chat-6c9f-9wz4t")),
        wanted=lambda _: 2,
        arrivals=wave(14, 4, 50),
        capacity=14,
        first_token=0.06,
        next_token=0.009,
    ),
    Played(
        "chat",
        "qwen-72b-chat",
        "hf://Qwen/Qwen1.5-72B-Chat",
        4,
        pods=(
            Life("qwen-72b-chat-5d7b-4hvnm"),
            Life("qwen-72b-chat-5d7b-k2c8s"),
            Life("qwen-72b-chat-5d7b-tq6lr", since=52),
        ),
        wanted=lambda minute: 2 if minute < 46 else 3,  # noqa: PLR2004 - the story
        arrivals=surge(wave(4.5, 0.35, 40), 36, 56, 1.64),
        capacity=3.6,
        first_token=0.25,
        next_token=0.028,
        answer=260,
        reason=lambda minute: "ModelLoading" if 46 <= minute < 52 else "",  # noqa: PLR2004 - the story
    ),
    Played(
        "lab",
        "qwen-coder",
        "pvc://weights/qwen2.5-coder-14b",
        2,
        pods=(Life("qwen-coder-7fb8-jm5xd", dead=(73, 79)),),
        arrivals=wave(3, 1, 23, 4),
        capacity=6,
        first_token=0.12,
        next_token=0.014,
        failing=surge(lambda _: 0.001, 68, 80, 90),
        reason=lambda minute: "EngineDead" if minute >= 73 else "",  # noqa: PLR2004 - the story
    ),
    Played(
        "lab",
        "qwen-110b-chat",
        "hf://Qwen/Qwen1.5-110B-Chat",
        8,
        reason=lambda _: "WaitingForGPU",
        suggestion="Free 8 GPUs on one node, or add a node with 8: the largest has 4 free.",
    ),
    Played(
        "batch",
        "qwen-nightly",
        "hf://Qwen/Qwen1.5-14B-Chat",
        1,
        wanted=lambda _: 0,
        reason=lambda _: "Suspended",
    ),
)
