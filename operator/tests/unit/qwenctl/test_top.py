"""`qwenctl top`: load from the pods' own metrics, rates over two looks."""

import json
import threading
import time

import pytest

from qwen_operator import naming
from qwen_operator.load import Load, rates, read_load, together
from qwenctl.online.ranking import ordered
from tests.unit.qwenctl.api import Api, Json
from tests.unit.qwenctl.calling import qwenctl
from tests.unit.qwenctl.conftest import PODS, QWENS, hold, pod, serving_body
from tests.unit.stand_ins import UID

METRICS = f"{PODS}/qwen-1:8002/proxy/metrics"
QUICK = ("top", "--seconds", "0.1")


def page(generated: int, running: int = 3) -> str:
    labels = '{model="qwen",version="1"}'
    return (
        "# TYPE nv_inference_count counter\nnv_inference_count 5\n"
        f"vllm:num_requests_running{labels} {running}\n"
        f"vllm:num_requests_waiting{labels} 1\n"
        f"vllm:kv_cache_usage_perc{labels} 0.25\n"
        f"vllm:prompt_tokens_total{labels} 10\n"
        f"vllm:generation_tokens_total{labels} {generated}\n"
    )


def running_pod(name: str = "qwen-1") -> Json:
    body = pod(name)
    body["metadata"]["labels"] = {naming.UID_LABEL: UID}
    return body


@pytest.fixture
def busy(api: Api) -> Api:
    hold(api, serving_body(), [running_pod()])
    api.holds(METRICS, page(100))
    return api


def test_a_models_load_is_shown(busy: Api) -> None:
    done = qwenctl(*QUICK)
    assert done.code == 0
    cells = done.out.splitlines()[1].split()
    assert cells == ["models", "qwen", "Serving", "1/1", "0", "3", "1", "25%", "0", "0"]
    assert busy.asked[0][1] == QWENS


def test_rates_are_taken_over_the_time_between_two_looks(busy: Api) -> None:
    found: list[Json] = []

    def ask() -> None:
        done = qwenctl("top", "--seconds", "0.5", "-o", "json")
        found.extend(json.loads(done.out))

    asking = threading.Thread(target=ask)
    asking.start()
    deadline = time.monotonic() + 10
    while not any(each[1] == METRICS for each in busy.asked) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    busy.holds(METRICS, page(200))
    asking.join()
    assert 100 < found[0]["tokensPerSecond"] < 250


def test_a_pod_that_does_not_answer_is_a_dash_and_no_error(busy: Api) -> None:
    busy.holds(METRICS, (403, {"message": "no"}))
    done = qwenctl(*QUICK)
    assert done.code == 0
    assert done.out.splitlines()[1].split()[5:] == ["-"] * 5


def test_each_model_gets_the_load_of_its_own_pods(busy: Api) -> None:
    other = running_pod("other-1")
    other["metadata"]["labels"] = {naming.UID_LABEL: "another"}
    second = serving_body()
    second["metadata"] |= {"name": "other", "uid": "another"}
    busy.holds(PODS, {"items": [running_pod(), other]})
    busy.holds(QWENS, {"items": [serving_body(), second]})
    busy.holds(f"{PODS}/other-1:8002/proxy/metrics", page(100, running=9))
    found = json.loads(qwenctl(*QUICK, "--sort", "running", "-o", "json").out)
    assert [(each["name"], each["running"]) for each in found] == [("other", 9), ("qwen", 3)]


def test_all_namespaces_are_asked_at_once(busy: Api) -> None:
    busy.holds("/api/v1/pods", {"items": [running_pod()]})
    done = qwenctl(*QUICK, "-A", "-o", "json")
    assert [each["running"] for each in json.loads(done.out)] == [3]
    assert busy.asked[0][1] == "/apis/qwen-operator.dev/v1alpha1/qwendeployments"


def test_no_models_are_said_to_be_none(busy: Api) -> None:
    busy.holds(QWENS, {"items": []})
    assert qwenctl(*QUICK).out == "no QwenDeployment\n"


def test_an_unknown_order_is_a_usage_error(busy: Api) -> None:
    del busy
    done = qwenctl("top", "--sort", "size")
    assert (done.code, done.out) == (2, "")
    assert "--sort 'size': one of tokens, running" in done.err


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        (Load(generated=10, prompted=1, pods=1), Load(generated=30, prompted=5, pods=1), (2, 10)),
        (None, Load(generated=30, pods=1), None),
        (Load(generated=30, pods=1), Load(generated=10, pods=1), None),
        (Load(generated=10, pods=1), Load(generated=30, pods=2), None),
        (Load(pods=1), Load(pods=0), None),
    ],
)
def test_rates_are_none_where_engines_came_went_or_started_anew(
    before: Load | None, now: Load, found: tuple[float, float] | None
) -> None:
    assert rates(before, now, 2) == found


def test_loads_add_up_and_the_fullest_cache_counts() -> None:
    whole = together([read_load(page(5)), read_load(page(7, running=0)), Load(pods=1)])
    assert (whole.running, whole.generated, whole.cache, whole.pods) == (3, 12, 0.25, 3)
    assert together([]) == Load()


@pytest.mark.parametrize("text", ["", "<html>", "vllm:num_requests_running{ 3", "\x00"])
def test_a_page_that_is_none_counts_nothing(text: str) -> None:
    assert read_load(text).running == 0


def test_the_largest_stand_first_and_unknown_ones_last() -> None:
    rows = [
        {"namespace": "a", "name": name, "tokensPerSecond": tokens, "gpus": 1}
        for name, tokens in (("x", None), ("y", 5.0), ("z", 9.0))
    ]
    assert [each["name"] for each in ordered(rows, "tokens")] == ["z", "y", "x"]
    assert [each["name"] for each in ordered(rows, "name")] == ["x", "y", "z"]
