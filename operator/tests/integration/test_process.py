"""The operator's process: started, stopped, started again, and in the wrong surroundings."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.api import CHILDREN, QWENS, Api, constantly, eventually, resource, settled
from tests.integration.process import OperatorProcess, free_port, redirected


@pytest.fixture
def another(api: Api, namespace: str) -> Iterator[str]:
    """A second namespace."""
    name = f"{namespace}-2"
    api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    api.call("DELETE", f"/api/v1/namespaces/{name}")


def counted(api: Api, namespace: str, name: str) -> int:
    """How many pods the status of a resource speaks of."""
    body = api.one(QWENS, namespace, name) or {}
    return int(body.get("status", {}).get("replicas", 0))


def versions(api: Api, namespace: str, *names: str) -> dict[str, str]:
    """resourceVersion of resources and of all their children."""
    found = {}
    for name in names:
        body = api.one(QWENS, namespace, name)
        assert body is not None
        for place, each in {name: body, **api.children(namespace, name)}.items():
            found[place] = each["metadata"]["resourceVersion"]
    return found


def test_a_restart_writes_nothing(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path, process: OperatorProcess
) -> None:
    names = ("one", "two", "three")
    for name in names:
        api.create(QWENS, namespace, resource(name))
    for name in names:
        eventually("a status", functools.partial(api.condition, namespace, name))
        eventually("a pod is counted", functools.partial(counted, api, namespace, name))
    # Kubernetes' own controllers write, too, until they have told of every pod.
    before = settled("everything", lambda: versions(api, namespace, *names))
    assert len(before) == 12
    assert process.stop() == 0
    again = OperatorProcess(kubeconfig, namespace, tmp_path).wait_until_ready()
    try:
        done = re.compile(r'duration_seconds_count\{outcome="done"\} [1-9]')
        eventually("passes are made", lambda: done.search(again.page("metrics")[1]))
        constantly("anything", lambda: versions(api, namespace, *names))
        assert versions(api, namespace, *names) == before
        assert "applying" not in again.log
        for verb in ("apply", "create", "merge", "delete", "replace"):
            assert f'verb="{verb}"' not in again.page("metrics")[1], "not even what changes nothing"
    finally:
        again.end()


def test_a_termination_signal_ends_it_in_time_with_status_0(process: OperatorProcess) -> None:
    assert process.stop() == 0
    assert "stopping" in process.log
    assert "Traceback" not in process.log


def test_what_is_deleted_while_it_is_down_goes_and_stays_gone(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path, process: OperatorProcess
) -> None:
    api.create(QWENS, namespace, resource("gone"))
    eventually("children", lambda: len(api.children(namespace, "gone")) == 3)
    process.stop()
    api.delete(QWENS, namespace, "gone")
    assert api.one(QWENS, namespace, "gone") is None
    eventually("no children", lambda: not api.children(namespace, "gone"))
    again = OperatorProcess(kubeconfig, namespace, tmp_path).wait_until_ready()
    try:
        constantly("the empty namespace", lambda: api.children(namespace, "gone"), 3)
    finally:
        again.end()


def test_what_is_made_or_edited_while_it_is_down_is_caught_up_with(
    api: Api, namespace: str, kubeconfig: Path, tmp_path: Path, process: OperatorProcess
) -> None:
    process.stop()
    api.create(QWENS, namespace, resource("late"))
    again = OperatorProcess(kubeconfig, namespace, tmp_path).wait_until_ready()
    try:
        eventually("children", lambda: len(api.children(namespace, "late")) == 3)
        eventually("a status", lambda: api.condition(namespace, "late"))
    finally:
        again.end()


def test_other_namespaces_are_not_touched(
    api: Api, namespace: str, another: str, kubeconfig: Path, tmp_path: Path
) -> None:
    api.create(QWENS, another, resource("theirs"))
    api.create(QWENS, namespace, resource("ours"))
    made = OperatorProcess(kubeconfig, namespace, tmp_path).wait_until_ready()
    try:
        _only_ours_is_served(api, namespace, another)
    finally:
        made.end()


def _only_ours_is_served(api: Api, namespace: str, another: str) -> None:
    eventually("our children", lambda: len(api.children(namespace, "ours")) == 3)
    constantly("the other namespace", lambda: [api.all(each, another) for each in CHILDREN], 2)
    api.merge(QWENS, another, "theirs", {"spec": {"replicas": 2}})
    constantly("the other namespace", lambda: [api.all(each, another) for each in CHILDREN], 2)
    body = api.one(QWENS, another, "theirs")
    assert body is not None
    assert "status" not in body
    assert api.children(another, "theirs") == {}


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "tcp://10.0.0.1:80"), ("WORKERS", "0"), ("NO_SUCH", "1")]
)
def test_a_bad_setting_ends_it_with_status_2_and_words(
    kubeconfig: Path, namespace: str, tmp_path: Path, name: str, value: str
) -> None:
    settings = {"PORT": str(free_port()), name: value}
    port = settings.pop("PORT")
    made = OperatorProcess(kubeconfig, namespace, tmp_path, **settings, PORT=port)
    try:
        assert made.wait() == 2
        assert f"QWEN_OPERATOR_{name}='{value}'" in made.log
        assert "Traceback" not in made.log
    finally:
        made.end()


def test_a_taken_port_ends_it_with_status_2_and_words(
    kubeconfig: Path, namespace: str, tmp_path: Path, process: OperatorProcess
) -> None:
    made = OperatorProcess(kubeconfig, namespace, tmp_path / "..", PORT=str(process.port))
    try:
        assert made.wait() == 2
        assert "set QWEN_OPERATOR_PORT to a free port" in made.log
        assert "Traceback" not in made.log
    finally:
        made.end()


def test_without_a_way_to_a_cluster_it_ends_with_status_2_and_words(
    namespace: str, tmp_path: Path
) -> None:
    made = OperatorProcess(tmp_path / "no-such-kubeconfig", namespace, tmp_path)
    try:
        assert made.wait() == 2
        assert "set KUBECONFIG" in made.log
        assert "Traceback" not in made.log
    finally:
        made.end()


def test_while_the_api_server_is_away_it_keeps_trying_and_says_so(
    kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "kubeconfig"
    redirected(kubeconfig, elsewhere, f"https://127.0.0.1:{free_port()}")
    made = OperatorProcess(elsewhere, namespace, tmp_path)
    try:
        eventually("a second attempt", lambda: made.log.count("trying again") >= 2)
        assert made.page("readyz")[0] == 503
        assert made.page("healthz")[0] == 200, "restarting it would not help"
        assert "no answer from the API server" in made.log
        assert "Traceback" not in made.log
        assert made.stop() == 0
    finally:
        made.end()
