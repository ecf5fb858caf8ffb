"""What is wrong with one pod, most specific first; the file is the specification."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from qwen_operator.facts import Engine, PodFacts, Termination
from qwen_operator.status.reasons import BY_NAME, Reason

_PULL_REASONS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
}
_CONFIG_REASONS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_SIGNAL_BASE = 128
_LOOP_RESTARTS = 3
_LOG_LINE = 400
_GPU_WORDS = re.compile(r"Insufficient \S*(gpu|mig-)\S*", re.IGNORECASE)
_TELLING = re.compile(r"error|exception|failed|fatal|killed|signal", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod does not serve.

    Attributes:
        reason: the reason to report.
        message: what was seen, for a person.
        pod: the pod's name, or None where it is not one pod's.
        log_line: the telling line of the container's output.
    """

    reason: Reason
    message: str
    pod: str | None = None
    log_line: str | None = None


def _placement(pod: PodFacts) -> Trouble | None:
    if pod.unschedulable is None:
        return None
    reason = Reason.WaitingForGPU if _GPU_WORDS.search(pod.unschedulable) else Reason.Unschedulable
    return Trouble(reason, f"pod {pod.name} waits for a node: {pod.unschedulable}", pod.name)


def _kubelet(pod: PodFacts) -> Trouble | None:
    if pod.waiting is None:
        return None
    word, message = pod.waiting
    told = f"pod {pod.name}: {word}" + (f": {message}" if message else "")
    if word in _PULL_REASONS:
        return Trouble(Reason.ImagePullFailed, told, pod.name)
    if word in _CONFIG_REASONS:
        return Trouble(Reason.ContainerConfigError, told, pod.name)
    return None


def log_line(text: str) -> str | None:
    """The line of a log's tail that says most: the last that names an error, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    telling = [line for line in lines if _TELLING.search(line)]
    return (telling or lines)[-1][:_LOG_LINE]


def _ending(end: Termination) -> tuple[Reason, str, str | None]:
    """Reason, words and log line of how a container ended."""
    if (report := end.report) is not None:
        reason = BY_NAME.get(report["reason"], Reason.ModelLoadFailed)
        return reason, report.get("message", reason.value.means), report.get("logLine")
    line = log_line(end.message)
    if end.reason == "OOMKilled":
        return Reason.OutOfMemory, "the kernel killed the container at its memory limit", line
    if end.exit_code > _SIGNAL_BASE:
        words = f"the container was ended by signal {end.exit_code - _SIGNAL_BASE}"
        return Reason.StubCrashed, words, line
    if end.exit_code:
        return Reason.ModelLoadFailed, f"the container ended with status {end.exit_code}", line
    words = "kubelet stopped the container, most likely since its /health did not answer any more"
    return Reason.StubCrashed, words, line


def _crash(pod: PodFacts) -> Trouble | None:
    if pod.termination is None or pod.is_serving:
        return None
    reason, words, line = _ending(pod.termination)
    if reason in {Reason.StubCrashed, Reason.EngineDead} and pod.restarts >= _LOOP_RESTARTS:
        reason = Reason.CrashLooping
    doing = "it is loading again" if pod.running else "it waits to be restarted"
    message = f"pod {pod.name}: {words}; {doing} (restart {pod.restarts})"
    return Trouble(reason, message, pod.name, line)


def _engine(pod: PodFacts) -> Trouble | None:
    if pod.engine is Engine.DOWN and pod.running:
        words = f"pod {pod.name}: the backend reports its engine dead"
        return Trouble(Reason.EngineDead, words, pod.name)
    if pod.ready and pod.engine is Engine.UNKNOWN:
        words = f"pod {pod.name} is ready for kubelet; its :8002 is about to be read"
        return Trouble(Reason.ModelLoading, words, pod.name)
    if pod.ready and pod.engine is not Engine.UP:
        return Trouble(Reason.MetricsStale, f"pod {pod.name}: {pod.engine.value}", pod.name)
    return None


def _loading(pod: PodFacts) -> Trouble | None:
    if pod.is_serving:
        return None
    if pod.running:
        return _not_ready(pod)
    if not pod.scheduled:
        return Trouble(Reason.ModelLoading, f"pod {pod.name} waits for a node", pod.name)
    if pod.warning is not None:
        words = f"pod {pod.name} does not start on {pod.node}: {pod.warning}"
        return Trouble(Reason.PodStartFailed, words, pod.name)
    word = pod.waiting[0] if pod.waiting else "on its node"
    return Trouble(Reason.ModelLoading, f"pod {pod.name} is being started ({word})", pod.name)


def _not_ready(pod: PodFacts) -> Trouble:
    """Why a pod whose container runs is not ready."""
    if pod.lost:
        dead = pod.engine in {Engine.STALE, Engine.UNREACHABLE}
        words = (
            f"pod {pod.name} on {pod.node} is not ready any more (:8002 says: {pod.engine.value})"
        )
        return Trouble(Reason.EngineDead if dead else Reason.ProbeFailing, words, pod.name)
    return Trouble(Reason.ModelLoading, f"pod {pod.name} loads the model", pod.name)


_RULES: tuple[Callable[[PodFacts], Trouble | None], ...] = (
    _placement,
    _kubelet,
    _crash,
    _engine,
    _loading,
)


def trouble(pod: PodFacts) -> Trouble | None:
    """Why a pod does not serve, or None if it does; the first rule that hits wins."""
    return next((found for rule in _RULES if (found := rule(pod)) is not None), None)
