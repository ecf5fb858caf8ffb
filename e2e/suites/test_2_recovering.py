"""Processes of a serving pod are killed: the resource says so, and serves again."""

import os
import signal
import time
from datetime import datetime

import pytest

from e2e.stack import clients
from e2e.stack.commands import get
from e2e.stack.models import NAMESPACE, Model, eventually
from e2e.stack.processes import ENGINE, STUB, of_pod

_SEEN_SECONDS = 15


@pytest.mark.parametrize("names", [ENGINE, STUB], ids=["engine", "stub"])
def test_a_killed_process_is_told_within_15_seconds_and_the_model_serves_again(
    model: Model, names: tuple[str, ...]
) -> None:
    (pod,) = model.pods()
    restarts = pod["status"]["containerStatuses"][0]["restartCount"]
    pids = of_pod(pod["metadata"]["uid"], names)
    assert pids, "no such process in the pod"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    killed = time.time()
    eventually("Ready is False", lambda: model.ready()["status"] == "False")
    # By what the operator wrote down, in whole seconds, and not by when a test came to see it.
    since = datetime.fromisoformat(model.ready()["lastTransitionTime"]).timestamp()
    assert since - killed < _SEEN_SECONDS
    told = model.see()["status"]
    assert told["readyReplicas"] == 0
    assert told["failure"]["suggestion"]
    assert told["failure"]["pod"] == pod["metadata"]["name"]
    model.wait_ready()
    (pod,) = model.pods()
    # Or more: on a starved node Triton can lose sight of a model while it loads.
    assert pod["status"]["containerStatuses"][0]["restartCount"] > restarts
    base = f"http://{clients.service_address(model.name, NAMESPACE)}:8000"
    assert clients.generate(base, model.name, {"prompt": "Hi"})["response"]


def test_the_events_tell_the_story(model: Model) -> None:
    events = get(
        "events",
        "-n",
        NAMESPACE,
        "--field-selector",
        f"involvedObject.kind=QwenDeployment,involvedObject.name={model.name}",
    )["items"]
    reasons = [each["reason"] for each in events]
    assert "Serving" in reasons
    assert {"EngineDead", "StubCrashed", "MetricsStale"} & set(reasons)
