"""`qwenctl bundle`: everything that a bug report needs, and nothing that is nobody's business."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from qwen_operator import naming
from qwen_operator.api.resource import read_resource
from qwen_operator.settings import Settings
from qwenctl.online.cleaning import REMOVED, clean, clean_text
from qwenctl.online.history import history
from qwenctl.rendering import manifests
from tests.unit.qwenctl.api import Api
from tests.unit.qwenctl.calling import qwenctl
from tests.unit.qwenctl.conftest import EVENTS, PODS, event, failing, hold, pod
from tests.unit.stand_ins import UID

Json = dict[str, Any]
CANARY = "canary-words-of-mine"
KEY = "hf_abcdefghijklmnopqrst"
ROOTS = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "services": "/api/v1",
    "configmaps": "/api/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
}
LOG = f"""\
INFO 11-24 vLLM engine (v0.27.1) max_num_batched_tokens=2048, eos_token_id=151645
INFO 11-24 Received request cmpl-1: prompt: '{CANARY}', params: SamplingParams(n=1)
{{"prompt": "{CANARY}", "stream": true}}
HF_TOKEN={KEY} and Authorization: Bearer {KEY}
downloading https://me:{CANARY}@mirror.example.com/x
INFO 11-24 Avg prompt throughput: 12.0 tokens/s
ValueError: the real reason
"""


def resource() -> Json:
    body = failing()
    body["spec"] |= {
        "chat": {"systemPrompt": CANARY, "template": f"{{{{ messages }}}} {CANARY}"},
        "triton": {"env": [{"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"}]},
        "engine": {"extraArgs": {"hf_token": KEY, "max_num_batched_tokens": 2048}},
    }
    body["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"x": CANARY}),
        "example.com/api-key": CANARY,
    }
    body["metadata"]["managedFields"] = [{"manager": "x"}]
    body["spec"]["model"]["tokenSecretRef"] = {"name": "hub", "key": "token"}
    return body


@pytest.fixture
def broken(api: Api) -> Api:
    hold(api, resource(), [pod()])
    about = {"kind": "Pod", "name": "qwen-1"}
    api.holds(EVENTS, {"items": [event(about, "BackOff", f"token={KEY}", "2026-01-02T03:04Z")]})
    api.holds(f"{PODS}/qwen-1/log", LOG)
    api.holds(f"{PODS}/qwen-1:8002/proxy/metrics", "qwen_engine_up 1\n")
    api.holds("/version", {"gitVersion": "v1.34.4"})
    api.holds("/api/v1/nodes/node-1", {"status": {"nodeInfo": {"kernelVersion": "6.1"}}})
    made = manifests(
        read_resource({**resource(), "spec": {**resource()["spec"], "engine": {}}}), Settings()
    )
    for plural, root in ROOTS.items():
        items = [each for each in made if f"{each['kind'].lower()}s" == plural]
        kind = f"{items[0]['kind']}List" if items else ""
        held = {"kind": kind, "items": items}
        api.holds(f"{root}/namespaces/models/{plural}", held)
    return api


def files(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        found = {}
        for each in archive.getmembers():
            held = archive.extractfile(each)
            assert held is not None
            found[each.name.split("/", 1)[1]] = held.read().decode()
    return found


def test_it_holds_what_a_bug_report_needs(broken: Api, tmp_path: Path) -> None:
    path = tmp_path / "report.tar.gz"
    done = qwenctl("bundle", "qwen", "--into", str(path))
    assert (done.code, done.out) == (0, "")
    assert f"wrote {path}" in done.err
    found = files(path)
    assert {
        "README.txt",
        "resource.yaml",
        "events.yaml",
        "versions.yaml",
        "missing.txt",
        "children/deployments.yaml",
        "children/configmaps.yaml",
        "pods/qwen-1/pod.yaml",
        "pods/qwen-1/log.txt",
        "pods/qwen-1/previous-log.txt",
        "pods/qwen-1/metrics.txt",
    } <= found.keys()
    assert found["missing.txt"] == "nothing\n"
    assert "ValueError: the real reason" in found["pods/qwen-1/log.txt"]
    assert "max_num_batched_tokens=2048" in found["pods/qwen-1/log.txt"]
    assert "Avg prompt throughput: 12.0 tokens/s" in found["pods/qwen-1/log.txt"]
    assert "VLLM_LOGGING_LEVEL" in found["children/deployments.yaml"]
    assert yaml.safe_load(found["versions.yaml"])["kubernetes"] == {"gitVersion": "v1.34.4"}
    assert yaml.safe_load(found["resource.yaml"])["status"]["failure"]["logLine"]
    asked = [each for each in broken.asked if each[1].endswith("/deployments")]
    assert asked[0][2]["labelSelector"] == [f"{naming.UID_LABEL}={UID}"]


def test_nothing_secret_and_nobodys_words_are_in_it(broken: Api, tmp_path: Path) -> None:
    path = tmp_path / "report.tar.gz"
    assert qwenctl("bundle", "qwen", "--into", str(path)).code == 0
    assert not any("secrets" in each[1] for each in broken.asked)
    for name, text in files(path).items():
        assert CANARY not in text, name
        assert KEY not in text, name
    held = yaml.safe_load(files(path)["resource.yaml"])
    assert held["spec"]["chat"]["systemPrompt"] == REMOVED
    assert held["spec"]["model"]["tokenSecretRef"] == {"name": "hub", "key": "token"}
    assert held["spec"]["engine"]["extraArgs"]["max_num_batched_tokens"] == 2048
    assert "managedFields" not in held["metadata"]


def test_what_cannot_be_read_is_listed_and_the_rest_is_there(broken: Api, tmp_path: Path) -> None:
    refused = (403, {"message": "not you"})
    broken.holds("/apis/apps/v1/namespaces/models/deployments", refused)
    broken.holds(f"{PODS}/qwen-1/log", refused)
    broken.holds(f"{PODS}/qwen-1:8002/proxy/metrics", refused)
    broken.holds("/api/v1/nodes/node-1", refused)
    path = tmp_path / "report.tar.gz"
    done = qwenctl("bundle", "qwen", "--into", str(path))
    assert done.code == 0
    assert "could not be read, see missing.txt: 4" in done.err
    found = files(path)
    assert "children/deployments.yaml: " in found["missing.txt"]
    assert "403: not you" in found["missing.txt"]
    assert "resource.yaml" in found
    assert "403" in found["versions.yaml"]


def test_a_file_is_not_overwritten_unasked_and_has_a_name_of_its_own(
    broken: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine"
    path.write_text("mine", encoding="utf-8")
    done = qwenctl("bundle", "qwen", "--into", str(path))
    assert (done.code, path.read_text(encoding="utf-8")) == (2, "mine")
    assert "--force replaces it" in done.err
    assert qwenctl("bundle", "qwen", "--into", str(path), "--force").code == 0
    assert tarfile.is_tarfile(io.BytesIO(path.read_bytes()))
    monkeypatch.setattr("qwenctl.online.bundling.Path", lambda name: tmp_path / name)
    assert qwenctl("bundle", "qwen").code == 0
    assert len(list(tmp_path.glob("qwen-20*.tar.gz"))) == 1
    assert broken.asked


def test_a_resource_that_is_not_there_leaves_no_file(api: Api, tmp_path: Path) -> None:
    assert api.asked == []
    done = qwenctl("bundle", "quen", "--into", str(tmp_path / "x"))
    assert done.code == 4
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "text",
    [
        f"HF_TOKEN={CANARY}",
        f"hf_token: '{CANARY}'",
        f'"password": "{CANARY}"',
        f"--api-key={CANARY}",
        f"MY_API_KEY = {CANARY}",
        f"prompt='{CANARY} and more'",
        f'{{"messages": [{{"role": "user", "content": "{CANARY}"}}]}}',
        f"text_input: {CANARY}",
        f"https://user:{CANARY}@example.com",
        "Authorization: Bearer canary-words-of-mine",
        f'{{ key: "system_prompt" value: {{ string_value: "say \\"{CANARY}" }} }}',
    ],
)
def test_a_line_of_a_log_loses_what_is_nobodys_business(text: str) -> None:
    assert CANARY not in clean_text(text)


@pytest.mark.parametrize(
    "key",
    [
        "hf_ABCDEFGHIJ0123456789",
        "ghp_ABCDEFGHIJ0123456789ab",
        "AKIAABCDEFGHIJKLMNOP",
        "sk-proj-ABCDEFGHIJ0123456789",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
    ],
)
def test_keys_are_known_by_their_form(key: str) -> None:
    assert key not in clean_text(f"at once {key}, and {key}")
    assert key not in json.dumps(clean({"harmless": [f"x {key} y"]}))


@pytest.mark.parametrize(
    "text",
    [
        "max_num_batched_tokens=2048",
        "Avg prompt throughput: 1.0 tokens/s, Avg generation throughput: 2.0 tokens/s",
        "ValueError: To serve at least one request with 4096 tokens",
        "Loading model weights took 14.2487 GB",
    ],
)
def test_what_is_needed_to_find_the_fault_stays(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize(
    "value",
    [
        {"token": CANARY},
        {"HF_TOKEN": CANARY},
        {"name": "HF_TOKEN", "value": CANARY},
        {"args": ["--api-key", CANARY]},
        {"a": [{"b": {"dbPassword": CANARY}}]},
        {"kind": "Secret", "metadata": {"name": "x"}, "data": {"y": CANARY}},
        {"kind": "ConfigMap", "data": {"model.py": CANARY}},
        {"chat": {"systemPrompt": CANARY, "template": CANARY}},
    ],
    ids=str,
)
def test_an_object_loses_what_is_nobodys_business(value: Json) -> None:
    assert CANARY not in json.dumps(clean(value))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=8,
)


@given(JSON_VALUES)
@example("\x1e\x1e")
@example("a\r\n\n")
def test_cleaning_never_fails_and_twice_is_once(value: Any) -> None:
    once = clean(value)
    assert clean(once) == once


def test_what_happened_is_told_in_the_order_of_its_times() -> None:
    resource = {
        "metadata": {"name": "qwen", "creationTimestamp": "2026-01-02T03:00:00Z"},
        "status": {
            "conditions": [
                {
                    "type": "Ready",
                    "status": "False",
                    "reason": "EngineDead",
                    "message": "no heartbeat",
                    "lastTransitionTime": "2026-01-02T03:09:00Z",
                }
            ]
        },
    }
    ended = {
        "reason": "Error",
        "exitCode": 1,
        "startedAt": "2026-01-02T03:01:00Z",
        "finishedAt": "2026-01-02T03:08:00Z",
        "message": "first line\nCUDA out of memory\n",
    }
    status = {
        "name": "triton",
        "lastState": {"terminated": ended},
        "state": {"running": {"startedAt": "2026-01-02T03:08:30Z"}},
    }
    pod = {
        "metadata": {"name": "qwen-1", "creationTimestamp": "2026-01-02T03:00:01Z"},
        "status": {"containerStatuses": [status]},
    }
    event = {
        "metadata": {},
        "involvedObject": {"kind": "Pod", "name": "qwen-1"},
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off\nrestarting",
        "count": 3,
        "lastTimestamp": "2026-01-02T03:08:10Z",
    }
    assert history(resource, [pod], [event]).splitlines() == [
        "2026-01-02T03:00:00Z qwen: created",
        "2026-01-02T03:00:01Z pod qwen-1: created",
        "2026-01-02T03:01:00Z pod qwen-1, container triton: started",
        (
            "2026-01-02T03:08:00Z pod qwen-1, container triton: ended, Error with exit code 1:"
            " CUDA out of memory"
        ),
        (
            "2026-01-02T03:08:10Z Pod qwen-1: Warning event BackOff (3 times by then):"
            " Back-off restarting"
        ),
        "2026-01-02T03:08:30Z pod qwen-1, container triton: started",
        "2026-01-02T03:09:00Z qwen: Ready False EngineDead no heartbeat",
    ]
