"""`qwenctl status`, `events`, `logs` against an API server, and all that can be wrong with one."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from qwenctl.online.view import age, belongs
from qwenctl.online.view import pod as shown
from tests.unit.qwenctl.api import Api, kubeconfig
from tests.unit.qwenctl.calling import COMMAND, ENVIRONMENT, qwenctl
from tests.unit.qwenctl.conftest import EVENTS, PODS, QWENS, event, failing, hold, pod, serving_body
from tests.unit.stand_ins import UID

ONLINE = [("status", "qwen"), ("events", "qwen"), ("logs", "qwen")]


def test_a_model_that_fails_is_shown_with_what_to_do(api: Api) -> None:
    done = qwenctl("status", "qwen")
    assert done.code == 1
    for words in (
        "models/qwen: KVCacheTooSmall",
        "hf://Qwen/Qwen1.5-1.8B-Chat, 1 GPU a pod, 0 of 1 replicas ready",
        "Accepted    True",
        "qwen-1   Loading   3",
        "what to do: set spec.engine.maxModelLen to 23648",
        "log: ValueError: 23648 tokens",
    ):
        assert words in done.out
    selectors = [query.get("labelSelector") for _, path, query, _ in api.asked if path == PODS]
    assert selectors == [[failing()["status"]["selector"]]]


def test_a_failure_is_said_once(api: Api) -> None:
    body = failing()
    ready = body["status"]["conditions"][1]
    ready["message"] = "pod qwen-1: what is left holds no request. What to do: set it."
    hold(api, body, [pod()])
    assert qwenctl("status", "qwen").out.count("what is left holds no request") == 1
    ready["message"] = "2 of 3 pods answer"
    assert "2 of 3 pods answer" in qwenctl("status", "qwen").out


LOADING = """\
INFO core.py:69] Initializing a V1 LLM engine (v0.9.2) with config: model='Qwen/Qwen3-8B'
Loading safetensors checkpoint shards:   0% Completed | 0/5 [00:00<?, ?it/s]
\rLoading safetensors checkpoint shards:  40% Completed | 2/5 [00:00<00:01,  2.87it/s]
"""


def test_how_far_a_start_has_come_is_read_from_the_log(api: Api) -> None:
    api.holds(f"{PODS}/qwen-1/log", LOADING)
    done = qwenctl("status", "qwen")
    assert "qwen-1: [########............] 40% loading the weights" in done.out
    found = json.loads(qwenctl("status", "qwen", "-o", "json").out)
    assert found["pods"][0]["progress"] == {
        "phase": "loading the weights",
        "percent": 40,
        "done": None,
        "total": None,
        "computed": False,
    }
    api.holds(f"{PODS}/qwen-1/log", (400, {"message": "is waiting to start"}))
    assert "qwen-1   Loading" in qwenctl("status", "qwen").out


def test_what_the_backend_tells_of_a_download_is_shown_with_its_bytes(api: Api) -> None:
    half = {"phase": "downloading", "download": {"bytes": 8 * 2**30, "total": 16 * 2**30}}
    api.holds(f"{PODS}/qwen-1:9000/proxy/health", (503, half))
    shown = "qwen-1: [##########..........] 50% downloading the weights (8.0 of 16.0 GiB)"
    assert shown in qwenctl("status", "qwen").out


def test_who_may_not_ask_a_pod_sees_the_download_as_the_operator_tells_it(api: Api) -> None:
    body = failing()
    body["status"]["download"] = {"pod": "qwen-1", "bytes": 4 * 2**30, "totalBytes": 16 * 2**30}
    hold(api, body, [pod()])
    api.holds(f"{PODS}/qwen-1:9000/proxy/health", (403, {"message": "no pods/proxy"}))
    api.holds(f"{PODS}/qwen-1/log", (403, {"message": "no pods/log"}))
    shown = "qwen-1: [#####...............] 25% downloading the weights (4.0 of 16.0 GiB)"
    assert shown in qwenctl("status", "qwen").out


def test_whether_it_fits_stands_on_the_screen(api: Api) -> None:
    body = serving_body()
    body["status"]["fit"] = {"verdict": "MayNotFit", "message": "Qwen3-8B on L4: too long"}
    hold(api, body, [])
    assert "  may not fit: Qwen3-8B on L4: too long" in qwenctl("status", "qwen").out
    assert json.loads(qwenctl("status", "qwen", "-o", "json").out)["fit"]["verdict"] == "MayNotFit"


def test_a_model_that_serves_is_exit_code_0(api: Api) -> None:
    hold(api, serving_body(), [pod(conditions=[{"type": "Ready", "status": "True"}])])
    done = qwenctl("status", "qwen")
    assert done.code == 0
    assert "33 s to load" in done.out
    found = json.loads(qwenctl("status", "qwen", "-o", "json").out)
    assert (found["ready"], found["pods"][0]["state"]) == (True, "Ready")
    assert found["replicas"] == {"ready": 1, "updated": 1, "wanted": 1}


def test_a_status_of_an_older_spec_is_not_ready(api: Api) -> None:
    body = serving_body()
    body["metadata"]["generation"] = 2
    hold(api, body, [])
    assert qwenctl("status", "qwen").code == 1


def test_a_resource_that_nobody_has_looked_at_says_so(api: Api) -> None:
    body = failing()
    del body["status"]
    hold(api, body, [])
    done = qwenctl("status", "qwen")
    assert done.code == 1
    assert "the operator has not looked at it yet" in done.out


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"phase": "Pending"}, "Pending"),
        ({}, "Loading"),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, "Ready"),
        (
            {
                "phase": "Pending",
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes",
                    }
                ],
            },
            "Unschedulable",
        ),
        (
            {
                "containerStatuses": [
                    {"restartCount": 1, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
                ]
            },
            "ImagePullBackOff",
        ),
        (
            {
                "containerStatuses": [
                    {"restartCount": 1, "state": {"waiting": {"reason": "ContainerCreating"}}}
                ]
            },
            "Loading",
        ),
    ],
)
def test_a_pods_state_is_one_word(status: dict[str, Any], state: str) -> None:
    assert shown(pod(**status)).state == state


def test_a_pod_that_goes_is_ending() -> None:
    body = pod()
    body["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    assert shown(body).state == "Ending"


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172800, "2d")]
)
def test_ages_are_written_as_kubectl_does(seconds: int, words: str) -> None:
    then = datetime(2026, 1, 1, tzinfo=UTC)
    now = datetime.fromtimestamp(then.timestamp() + seconds, UTC)
    assert age("2026-01-01T00:00:00Z", now) == words
    assert age(None, now) == "<unknown>"


def test_events_of_resource_children_and_pods_are_listed_in_order(api: Api) -> None:
    api.holds(
        EVENTS,
        {
            "items": [
                event({"kind": "Pod", "name": "qwen-1"}, "B", "second", "2026-01-02T03:00:02Z"),
                event({"kind": "Pod", "name": "other"}, "X", "foreign", "2026-01-02T03:00:02Z"),
                event({"kind": "Qwen", "uid": UID}, "A", "first", "2026-01-02T03:00:01Z"),
                event({"kind": "ReplicaSet", "name": "qwen-5d"}, "C", "last", "2026-01-02T04:00Z"),
            ]
        },
    )
    done = qwenctl("events", "qwen")
    assert re.findall("first|second|last|foreign", done.out) == ["first", "second", "last"]
    assert [each["reason"] for each in json.loads(qwenctl("events", "qwen", "-o", "json").out)] == [
        *"ABC"
    ]
    api.holds(EVENTS, {"items": []})
    assert qwenctl("events", "qwen").out == "no events\n"


def test_events_of_a_resource_with_a_longer_name_are_not_ours() -> None:
    about = {"kind": "Pod", "name": "qwen-large-1"}
    assert not belongs({"involvedObject": about}, failing(), ["qwen-1"])


def test_logs_of_one_pod_are_as_they_are_and_of_several_carry_names(api: Api) -> None:
    api.holds(f"{PODS}/qwen-1/log", "one\ntwo\n")
    assert qwenctl("logs", "qwen", "--tail", "5").out == "one\ntwo\n"
    assert api.asked[-1][2] == {"container": ["triton"], "tailLines": ["5"]}
    api.holds(PODS, {"items": [pod(), pod("qwen-2")]})
    api.holds(f"{PODS}/qwen-2/log", "drei\n")
    assert qwenctl("logs", "qwen").out == "qwen-1: one\nqwen-1: two\nqwen-2: drei\n"
    assert qwenctl("logs", "qwen", "--pod", "qwen-2").out == "drei\n"
    lines = [
        {"pod": f"qwen-{n}", "line": line} for n, line in ((1, "one"), (1, "two"), (2, "drei"))
    ]
    out = qwenctl("logs", "qwen", "-o", "json").out
    assert [json.loads(each) for each in out.splitlines()] == lines
    assert yaml.safe_load(qwenctl("logs", "qwen", "-o", "yaml").out) == lines
    assert api.asked[-1][2]["tailLines"] == ["200"]


def test_logs_are_followed_until_the_last_pod_has_ended(api: Api) -> None:
    api.holds(PODS, {"items": [pod(), pod("qwen-2")]})
    api.holds(f"{PODS}/qwen-1/log", "one\ntwo")
    api.holds(f"{PODS}/qwen-2/log", "drei\n")
    lines = qwenctl("logs", "qwen", "-f").out.splitlines()
    assert sorted(lines) == ["qwen-1: one", "qwen-1: two", "qwen-2: drei"]
    assert api.asked[-1][2]["follow"] == ["true"]


def test_logs_of_the_container_before_can_be_read(api: Api) -> None:
    api.holds(f"{PODS}/qwen-1/log", "before\n")
    assert qwenctl("logs", "qwen", "-p").out == "before\n"
    assert api.asked[-1][2]["previous"] == ["true"]


def test_logs_without_pods_or_of_another_say_so(api: Api) -> None:
    done = qwenctl("logs", "qwen", "--pod", "other")
    assert (done.code, done.err) == (2, "error: qwen has no pod other; it has qwen-1\n")
    api.holds(PODS, {"items": []})
    assert qwenctl("logs", "qwen").out == "no pods\n"
    assert qwenctl("logs", "qwen", "-o", "json").out == ""


def test_a_log_that_kubelet_refuses_is_one_sentence(api: Api) -> None:
    api.holds(f"{PODS}/qwen-1/log", (400, {"message": "container is waiting to start"}))
    for follow in ((), ("-f",)):
        done = qwenctl("logs", "qwen", *follow)
        assert done.code == 3
        assert "400: container is waiting to start" in done.err


@pytest.mark.parametrize("command", ONLINE, ids=lambda each: each[0])
class TestWhatMayBeWrongWithACluster:
    def test_a_name_that_is_not_there_is_answered_with_those_that_are(
        self, api: Api, command: tuple[str, str]
    ) -> None:
        done = qwenctl(command[0], "quen")
        assert (done.code, done.out) == (4, "")
        assert "no QwenDeployment quen in namespace models; there are qwen" in done.err
        api.holds(QWENS, {"items": []})
        assert "there is none in that namespace" in qwenctl(command[0], "quen").err

    def test_what_cannot_be_a_name_is_not_sent(self, api: Api, command: tuple[str, str]) -> None:
        for arguments in ((command[0], "../x"), (*command, "-n", "a/b"), (command[0], "")):
            done = qwenctl(*arguments)
            assert (done.code, done.out) == (2, "")
            assert "a name holds lower-case letters" in done.err
        assert api.asked == []

    def test_the_definition_is_not_installed(self, api: Api, command: tuple[str, str]) -> None:
        api.answers.clear()
        done = qwenctl(*command)
        assert done.code == 3
        assert "knows no QwenDeployment: the operator's chart is not installed" in done.err

    @pytest.mark.parametrize(
        ("code", "words"),
        [(401, "log in again"), (403, "ask whoever runs the cluster"), (500, "answered 500")],
    )
    def test_the_server_refuses(
        self, api: Api, command: tuple[str, str], code: int, words: str
    ) -> None:
        api.holds(f"{QWENS}/qwen", (code, {"message": "not you"}))
        done = qwenctl(*command)
        assert (done.code, done.out) == (3, "")
        assert f"answered {code}: not you" in done.err
        assert words in done.err
        assert len(done.err.splitlines()) == 1

    def test_nobody_answers(self, api: Api, command: tuple[str, str]) -> None:
        del api
        done = qwenctl(*command, "--context", "nowhere")
        assert done.code == 3
        assert "no answer from http://127.0.0.1:1: " in done.err
        assert "refused" in done.err
        assert len(done.err.splitlines()) == 1

    def test_what_answers_is_no_api_server(self, api: Api, command: tuple[str, str]) -> None:
        api.holds(f"{QWENS}/qwen", "<html>")
        done = qwenctl(*command)
        assert done.code == 3
        assert "is it an API server?" in done.err

    def test_the_namespace_is_the_option_or_the_contexts_or_default(
        self, api: Api, command: tuple[str, str], tmp_path: Path
    ) -> None:
        qwenctl(*command)
        assert api.asked[0][1].startswith(QWENS)
        api.asked.clear()
        qwenctl(*command, "-n", "elsewhere")
        assert "/namespaces/elsewhere/" in api.asked[0][1]
        api.asked.clear()
        qwenctl(*command, "--kubeconfig", str(kubeconfig(tmp_path, api.url, None)))
        assert "/namespaces/default/" in api.asked[0][1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist; name one with --kubeconfig or KUBECONFIG"),
        ("", "kubeconfig"),
        ("a: [", "is not one"),
        ("- 1\n", "kubeconfig"),
        ("apiVersion: v1\nkind: Config\n", "kubeconfig"),
        (yaml.safe_dump({"current-context": "x", "contexts": [], "clusters": []}), "kubeconfig"),
    ],
)
def test_a_kubeconfig_that_is_none_is_one_sentence(
    tmp_path: Path, content: str | None, words: str
) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    done = qwenctl("status", "qwen", "--kubeconfig", str(path))
    assert (done.code, done.out) == (3, "")
    assert words in done.err
    assert len(done.err.splitlines()) == 1


def test_a_context_that_is_not_there_is_answered_with_those_that_are(api: Api) -> None:
    del api
    done = qwenctl("status", "qwen", "--context", "mine")
    assert done.code == 3
    assert "has no context 'mine'; it has here, nowhere" in done.err


def test_the_token_of_the_kubeconfig_is_sent_and_never_shown(api: Api) -> None:
    done = qwenctl("status", "qwen")
    assert "mine" not in done.out + done.err
    assert api.asked


def test_a_watch_shows_what_changes_and_ends_on_ctrl_c(api: Api) -> None:
    with subprocess.Popen(
        [*COMMAND, "status", "qwen", "--watch", "-o", "yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, "KUBECONFIG": os.environ["KUBECONFIG"]},
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        for line in running.stdout:
            if line == "---\n":
                break
        seen, deadline = len(api.asked), time.monotonic() + 20
        while len(api.asked) < seen + 4 and time.monotonic() < deadline:
            time.sleep(0.05)  # two more rounds, in which nothing has changed
        hold(api, serving_body(), [pod()])
        after = []
        for line in running.stdout:
            after.append(line)
            if line == "---\n":
                break
        assert "ready: true\n" in after
        assert "ready: false\n" not in after
        running.send_signal(signal.SIGINT)
        assert running.wait() == 130
        assert running.stderr.read() == ""


def test_a_watch_redraws_a_terminal(api: Api) -> None:
    main, side = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "status", "qwen", "-w"],
        stdout=side,
        env={**ENVIRONMENT, "TERM": "xterm", "KUBECONFIG": os.environ["KUBECONFIG"]},
    ) as running:
        text, deadline = "", time.monotonic() + 20
        while "23648 tokens" not in text and time.monotonic() < deadline:
            text += os.read(main, 65536).decode()
        running.send_signal(signal.SIGINT)
        assert running.wait() == 130
    os.close(side)
    os.close(main)
    assert text.startswith("\x1b[H\x1b[2J")
    assert len(api.asked) >= 2


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    done = qwenctl("top", "--kubeconfig", str(tmp_path))
    assert (done.code, done.out) == (3, "")
    assert "is no file; name one with --kubeconfig" in done.err


def test_a_cluster_that_serves_another_version_says_which(api: Api) -> None:
    api.answers.clear()
    api.holds("/apis/qwen-operator.dev", {"versions": [{"version": "v1beta1"}, {"version": "v1"}]})
    for command in (("top",), ("status", "qwen")):
        done = qwenctl(*command)
        assert (done.code, done.out) == (3, "")
        assert "serves qwen-operator.dev in version v1beta1, v1, and this program knows" in done.err


def test_what_no_terminal_reads_stands_on_one_line_each() -> None:
    done = qwenctl("explain")
    assert max(map(len, done.out.splitlines())) > 200
