"""What is wrong with one pod, most specific first; the file is the specification."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from qwen_operator.facts import EndedPod, Engine, PodFacts, Termination
from qwen_operator.status.kubernetes_words import (
    CONFIGURATION,
    EVICTED,
    NODE_STARTING,
    PULLING,
    SCHEDULING,
    STARTING,
)
from qwen_operator.status.reasons import BY_NAME, Reason
from qwen_operator.status.remedies import decisive, gpu_shortage, remedy_for
from qwen_operator.status.symptoms import diagnose, telling

_PULL_REASONS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
}
_START_REASONS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
# containerd's and Docker's word for a container whose program never ran.
_NEVER_RAN = {"StartError", "ContainerCannotRun"}
_SIGNAL_BASE = 128
_SIGBUS = 7
_LOOP_RESTARTS = 3
_LOG_LINE = 400
_WORDS = 1000
_SUGGESTION = 600
_GPU_WORDS = re.compile(r"Insufficient \S*(gpu|mig-)\S*", re.IGNORECASE)
_PHASES = {
    "starting": "starts Triton",
    "importing": "imports vLLM",
    "downloading": "downloads the weights",
    "loading": "loads the weights into the engine",
    "warming": "warms its engine up",
    "opening": "has loaded the model and opens its ports",
    "serving": "serves, and waits for kubelet's probe",
}
"""What a backend does in the phase that it names."""

_TELLING = re.compile(r"error|exception|failed|fatal|killed|signal", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod does not serve.

    Attributes:
        reason: the reason to report.
        message: what was seen, for a person.
        pod: the pod's name, or None where it is not one pod's.
        log_line: the telling line of the container's output.
        own_suggestion: what to do, where what was seen tells more than the reason does.
    """

    reason: Reason
    message: str
    pod: str | None = None
    log_line: str | None = None
    own_suggestion: str | None = None

    @property
    def suggestion(self) -> str:
        """What to do next."""
        return self.own_suggestion or self.reason.value.remedy


def _placement(pod: PodFacts) -> Trouble | None:
    if pod.unschedulable is None:
        return None
    words = f"pod {pod.name} waits for a node: {pod.unschedulable}"
    cause = decisive(pod.unschedulable)
    if _GPU_WORDS.search(cause):
        todo = gpu_shortage(pod.unschedulable, pod.gpus or "GPUs", pod.free)
        return Trouble(Reason.WaitingForGPU, words, pod.name, own_suggestion=todo)
    todo_else = remedy_for(cause, SCHEDULING) or remedy_for(pod.unschedulable, SCHEDULING)
    return Trouble(Reason.Unschedulable, words, pod.name, own_suggestion=todo_else)


def _kubelet(pod: PodFacts) -> Trouble | None:
    if pod.waiting is None:
        return None
    word, message = pod.waiting
    told = f"pod {pod.name}: {word}" + (f": {message}" if message else "")
    if word in _PULL_REASONS:
        return _unpulled(pod, word, told)
    if word in _START_REASONS:
        reason, todo = _unstarted(word, message)
        return Trouble(reason, told, pod.name, own_suggestion=todo)
    return None


def _unpulled(pod: PodFacts, word: str, told: str) -> Trouble:
    """An image that cannot be pulled: kubelet's back-off hides why, its last warning may tell."""
    if pod.warning is not None and pod.warning not in told:
        told += f" ({pod.warning})"
    image = pod.image or "the image"
    # Digests and names could hold any word.
    plain = told.replace(image, "")
    todo = remedy_for(plain, PULLING, image=image) or remedy_for(word, PULLING, image=image)
    return Trouble(Reason.ImagePullFailed, told, pod.name, own_suggestion=todo)


def _unstarted(word: str, message: str) -> tuple[Reason, str | None]:
    """Reason and remedy of a container that the node could not create or start."""
    if (todo := remedy_for(message, CONFIGURATION)) or word == "CreateContainerConfigError":
        return Reason.ContainerConfigError, todo
    found = diagnose(telling(message.splitlines()))
    if found is not None and found.reason == Reason.UnsupportedGPU.name:
        return Reason.UnsupportedGPU, found.suggestion or None
    return Reason.ContainerStartFailed, remedy_for(message, STARTING)


def log_line(text: str) -> str | None:
    """The line of a log's tail that says most: the last that names an error, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    telling = [line for line in lines if _TELLING.search(line)]
    return (telling or lines)[-1][:_LOG_LINE]


def _ending(pod: PodFacts, end: Termination) -> Trouble:
    """Why a container ended: its own account, kubelet's word, or what its log's tail names."""
    if (report := end.report) is not None:
        reason = BY_NAME.get(report["reason"], Reason.ModelLoadFailed)
        words = report.get("message", reason.value.means)
        todo = report.get("suggestion", "")[:_SUGGESTION] or None
        return Trouble(reason, words, pod.name, report.get("logLine"), todo)
    line = log_line(end.message)
    if end.reason == "OOMKilled":
        words = "the kernel killed the container at its memory limit"
        return Trouble(Reason.OutOfMemory, words, pod.name, line)
    if end.reason in _NEVER_RAN or "exec format error" in end.message:
        reason, todo = _unstarted(end.reason, end.message)
        return Trouble(reason, end.message[:_WORDS], pod.name, line, todo)
    return _told_by_log(pod, end, line)


def _told_by_log(pod: PodFacts, end: Termination, line: str | None) -> Trouble:
    found = diagnose(telling(end.message.splitlines())) if end.exit_code else None
    if found is not None:
        words, todo = found.message[:_WORDS], found.suggestion or None
        return Trouble(BY_NAME[found.reason], words, pod.name, found.log_line[:_LOG_LINE], todo)
    signal = end.exit_code - _SIGNAL_BASE
    if signal == _SIGBUS:
        words = "the container was ended by signal 7 (bus error): its shared memory was full"
        return Trouble(Reason.SharedMemoryTooSmall, words, pod.name, line)
    if signal > 0:
        words = f"the container was ended by signal {signal}"
        return Trouble(Reason.StubCrashed, words, pod.name, line)
    if end.exit_code:
        words = f"the container ended with status {end.exit_code}"
        return Trouble(Reason.ModelLoadFailed, words, pod.name, line)
    words = "kubelet stopped the container, most likely since its /health did not answer any more"
    return Trouble(Reason.StubCrashed, words, pod.name, line)


def _crash(pod: PodFacts) -> Trouble | None:
    if pod.termination is None or pod.is_serving:
        return None
    found = _ending(pod, pod.termination)
    doing = "it is loading again" if pod.running else "it waits to be restarted"
    message = f"pod {pod.name}: {found.message}; {doing} (restart {pod.restarts})"
    looping = pod.restarts >= _LOOP_RESTARTS
    if looping and found.reason in {Reason.StubCrashed, Reason.EngineDead}:
        return Trouble(Reason.CrashLooping, message, pod.name, found.log_line)
    return replace(found, message=message)


def _engine(pod: PodFacts) -> Trouble | None:
    if pod.engine is Engine.DOWN and pod.running:
        words = f"pod {pod.name}: the backend reports its engine dead"
        return Trouble(Reason.EngineDead, words, pod.name)
    if pod.ready and pod.engine is Engine.UNKNOWN:
        words = f"pod {pod.name} is ready for kubelet; its :8002 and /v2 are about to be read"
        return Trouble(Reason.ModelLoading, words, pod.name)
    if pod.ready and pod.engine in {Engine.NOT_OFFERED, Engine.CLOSED}:
        return Trouble(Reason.ModelNotOffered, f"pod {pod.name}: {pod.engine.value}", pod.name)
    if pod.ready and pod.engine is not Engine.UP:
        return Trouble(Reason.MetricsStale, f"pod {pod.name}: {pod.engine.value}", pod.name)
    return None


def _loading(pod: PodFacts) -> Trouble | None:
    if pod.is_serving:
        return None
    if pod.running:
        return _not_ready(pod)
    if not pod.scheduled:
        words = f"pod {pod.name} waits for a node{_since(pod.times.created)}"
        return Trouble(Reason.ModelLoading, words, pod.name)
    if pod.warning is not None:
        words = f"pod {pod.name} does not start on {pod.node}: {pod.warning}"
        todo = remedy_for(pod.warning, NODE_STARTING)
        return Trouble(Reason.PodStartFailed, words, pod.name, own_suggestion=todo)
    word = pod.waiting[0] if pod.waiting else "on its node"
    doing = "pulls its image and mounts its volumes" if word == "ContainerCreating" else "starts"
    words = f"pod {pod.name} {doing}{_since(pod.times.scheduled)} ({word})"
    return Trouble(Reason.ModelLoading, words, pod.name)


def _since(moment: str | None) -> str:
    """A time, never a duration: the words must be the same on every pass."""
    return f" since {moment}" if moment else ""


def _not_ready(pod: PodFacts) -> Trouble:
    """Why a pod whose container runs is not ready."""
    if pod.lost:
        dead = pod.engine in {Engine.STALE, Engine.UNREACHABLE}
        words = (
            f"pod {pod.name} on {pod.node} is not ready any more (:8002 says: {pod.engine.value})"
        )
        return Trouble(Reason.EngineDead if dead else Reason.ProbeFailing, words, pod.name)
    doing, since = "loads the model", pod.times.started
    if pod.progress is not None and pod.progress.phase in _PHASES:
        doing, since = _PHASES[pod.progress.phase], pod.progress.since(pod.progress.phase)
    return Trouble(Reason.ModelLoading, f"pod {pod.name} {doing}{_since(since)}", pod.name)


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


def ending(pod: EndedPod) -> Trouble:
    """What to say about a pod that its node ended, refused or lost."""
    where = f" on {pod.node}" if pod.node else ""
    if pod.lost:
        words = f"pod {pod.name}: its node {pod.node} does not answer ({pod.words})"
        return Trouble(Reason.NodeLost, words, pod.name)
    words = f"pod {pod.name}{where}: {pod.words}"
    return Trouble(Reason.Evicted, words, pod.name, own_suggestion=remedy_for(pod.words, EVICTED))
