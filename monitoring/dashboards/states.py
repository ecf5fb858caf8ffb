"""How the state of a model is worded and coloured, from the operator's table of reasons."""

from typing import Final

from monitoring.dashboards.colours import BAD, GOOD, IDLE, WARN
from qwen_operator.status.reasons import Reason

_AT_WORK: Final = {"ModelLoading", "NotEnoughReplicas"}

READY: Final = {"1": ("Ready", GOOD), "0": ("Not ready", BAD)}
STATE: Final = {
    "0": ("trouble", BAD),
    "1": ("starting", WARN),
    "2": ("at rest", IDLE),
    "3": ("serving", GOOD),
}
"""What `state` computes, in words."""
STATE_STEPS: Final = ((None, BAD), (1, WARN), (2, IDLE), (3, GOOD))
ALIVE: Final = {"1": ("up", GOOD), "0": ("DEAD", BAD)}
YES: Final = {"1": ("yes", GOOD), "0": ("NO", BAD)}


def colour(reason: Reason) -> str:
    """Green serves, grey rests on purpose, yellow is on its way, red is wrong."""
    if reason is Reason.Serving:
        return GOOD
    if reason.value.failing:
        return BAD
    return WARN if reason.name in _AT_WORK else IDLE


REASONS: Final = {reason.name: (reason.name, colour(reason)) for reason in Reason}

NOT_FAILING: Final = "|".join(
    [*(reason.name for reason in Reason if not reason.value.failing), "Unknown"]
)
"""Matches the reasons that nobody has to look at; Unknown is a resource without a status yet."""


def _named(colour: str) -> str:
    return "|".join(name for name, (_, found) in REASONS.items() if found == colour)


MATCHERS: Final = (
    (f'!~"{NOT_FAILING}"', BAD),
    (f'=~"{_named(WARN)}"', WARN),
    (f'=~"{_named(IDLE)}|Unknown"', IDLE),
    (f'=~"{_named(GOOD)}"', GOOD),
)
"""PromQL matchers that sort the reasons by colour, the worst first."""


def state(where: str, by: str) -> str:
    """How each model is: 0 trouble, 1 starting, 2 at rest on purpose, 3 serving."""
    return " or ".join(
        f"{number} * max by ({by}) (qwen_operator_resource_reason{{{where},reason{matcher}}})"
        for number, (matcher, _) in enumerate(MATCHERS)
    )
