"""What is the case with a resource as a whole: one reason, most specific first."""

import re
from dataclasses import dataclass, replace

from qwen_operator.api.resource import Resource
from qwen_operator.facts import Facts, PodFacts
from qwen_operator.status.kubernetes_words import REFUSED
from qwen_operator.status.pods import Trouble, ending, trouble
from qwen_operator.status.reasons import Reason
from qwen_operator.status.remedies import remedy_for


@dataclass(frozen=True, slots=True)
class Seen:
    """A resource and what was seen of it.

    Attributes:
        facts: what was seen of its children.
        wanted: how many pods should serve.
        template_hash: the pod template that they should be made from.
        suspended: spec.suspend.
        obstacle: what kept the operator from applying what it wants, if anything.
    """

    facts: Facts
    wanted: int
    template_hash: str
    suspended: bool = False
    obstacle: Trouble | None = None

    @property
    def updated(self) -> tuple[PodFacts, ...]:
        """Pods that run the present configuration."""
        return tuple(pod for pod in self.facts.pods if pod.template_hash == self.template_hash)

    @property
    def serving(self) -> tuple[PodFacts, ...]:
        """Pods that answer, whatever configuration they run."""
        return tuple(pod for pod in self.facts.pods if pod.is_serving)


def seen(
    resource: Resource, facts: Facts, template_hash: str, obstacle: Trouble | None = None
) -> Seen:
    """What was seen, beside what the resource asks for."""
    spec = resource.spec
    wanted = 0 if spec.suspend else spec.replicas
    return Seen(facts, wanted, template_hash, suspended=spec.suspend, obstacle=obstacle)


def _refused_pods(words: str) -> Trouble:
    todo = remedy_for(words, REFUSED)
    if re.search("exceeded quota|failed quota", words, re.IGNORECASE):
        return Trouble(Reason.QuotaExceeded, words, own_suggestion=todo)
    if "violates PodSecurity" in words:
        return Trouble(Reason.PodSecurityViolation, words)
    return Trouble(Reason.PodsRefused, words, own_suggestion=todo)


def _stopped(what: Seen) -> Trouble | None:
    if what.wanted:
        return None
    left = len(what.facts.pods)
    tail = f"; {left} pods are still ending" if left else ""
    if what.suspended:
        return Trouble(Reason.Suspended, f"spec.suspend is true{tail}")
    return Trouble(Reason.ScaledToZero, f"spec.replicas is 0{tail}")


def _doors(what: Seen) -> str:
    """What to add where OpenAI's endpoint is missing, though nobody was promised it."""
    shut = sorted(pod.name for pod in what.serving if not pod.has_door)
    if not shut:
        return ""
    return f"; {len(shut)} without an OpenAI endpoint on :9000 (the log of {shut[0]} says why)"


def verdict(what: Seen) -> Trouble:
    """The one thing to say about a resource; reason Serving when there is no trouble."""
    if what.obstacle is not None:
        return what.obstacle
    if (stopped := _stopped(what)) is not None:
        return stopped
    troubles = [found for pod in what.updated if (found := trouble(pod)) is not None]
    troubles += [ending(pod) for pod in what.facts.ended if pod.template_hash == what.template_hash]
    if what.facts.replica_failure is not None and len(what.updated) < what.wanted:
        troubles.append(_refused_pods(what.facts.replica_failure))
    ready = len([pod for pod in what.updated if pod.is_serving])
    if ready >= what.wanted:
        return Trouble(Reason.Serving, f"{ready} of {what.wanted} pods answer{_doors(what)}")
    count = f"{ready} of {what.wanted} pods answer"
    if older := len(what.facts.pods) - len(what.updated):
        count += f" with the present configuration, {older} still run an older one"
    if troubles:
        worst = min(troubles, key=lambda found: (found.reason.rank, found.pod or ""))
        return replace(worst, message=f"{count}: {worst.message}")
    return Trouble(
        Reason.NotEnoughReplicas, f"{count}: {len(what.updated)} of {what.wanted} pods exist"
    )
