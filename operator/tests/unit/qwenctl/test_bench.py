"""`qwenctl bench`: levels of streams over forwarded ports, a table, a record, a comparison."""

import json
import os
import subprocess
from array import array
from pathlib import Path
from typing import Any

import pytest

from qwenctl.bench.results import Results, load
from qwenctl.bench.samples import Sample, figures
from qwenctl.online.benched import fallen
from tests.unit.qwenctl.api import Api, Json
from tests.unit.qwenctl.calling import COMMAND, ENVIRONMENT, Done, qwenctl
from tests.unit.qwenctl.conftest import hold, pod, serving_body

GENERATE = "/v2/models/qwen/generate_stream"
READY: Json = {"conditions": [{"type": "Ready", "status": "True"}]}
METRICS = """\
vllm:num_requests_running{model="qwen"} 2
vllm:num_requests_waiting{model="qwen"} 1
vllm:kv_cache_usage_perc{model="qwen"} 0.25
vllm:num_preemptions_total{model="qwen"} 0
"""


def data(text: str) -> str:
    return f"data: {json.dumps({'text_output': text, 'num_output_tokens': 1})}\n\n"


def metrics_path(name: str) -> str:
    return f"/api/v1/namespaces/models/pods/{name}:8002/proxy/metrics"


@pytest.fixture
def served(api: Api) -> Api:
    hold(api, serving_body(), [pod(name, **READY) for name in ("qwen-1", "qwen-2")])
    api.holds(GENERATE, lambda: iter([data("a"), data("b")]), "POST")
    for name in ("qwen-1", "qwen-2"):
        api.holds(metrics_path(name), METRICS)
    return api


def bench(*arguments: str) -> Done:
    """In a process of its own: it starts others."""
    done = subprocess.run(
        [*COMMAND, "bench", *arguments],
        env={**ENVIRONMENT, "KUBECONFIG": os.environ["KUBECONFIG"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def asked(api: Api, path: str) -> list[Any]:
    return [body for _, found, _, body in api.asked if found == path]


def test_levels_become_a_table_and_a_record(served: Api, tmp_path: Path) -> None:
    record = tmp_path / "run.json"
    quick = ("--streams", "1,2", "--turns", "1", "--tokens", "2")
    done = bench("qwen", *quick, "--save", str(record), "--plot", str(tmp_path / "run.png"))
    assert (done.code, "Traceback" in done.err) == (0, False), done.err
    assert [line.split()[0] for line in done.out.splitlines()[-2:]] == ["1", "2"]
    assert "2 pods on node-1; asked through the API server" in done.out
    assert "1 streams" in done.err
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    results = load(record)
    (levels,) = results.doors.values()
    # One answer to warm up and one that counts, of each stream.
    assert [(each.streams, each.requests, each.tokens) for each in levels] == [(1, 1, 2), (2, 2, 4)]
    assert levels[1].server == {"running": 4, "waiting": 2, "preemptions": 0, "cache": 0.25}
    probe, *bodies = asked(served, GENERATE)
    assert probe["return_num_output_tokens"] is True
    assert len(bodies) == 6
    assert len({each["text_input"] for each in bodies}) == 6, "no prompt is asked twice"
    sampling = json.loads(bodies[0]["sampling_parameters"])
    assert (sampling["max_tokens"], sampling["ignore_eos"]) == (2, True)
    # Two streams, two pods.
    for name in ("qwen-1", "qwen-2"):
        assert asked(served, f"/api/v1/namespaces/models/pods/{name}/portforward")


def test_requests_that_all_fail_are_one_sentence(served: Api) -> None:
    served.holds(GENERATE, (400, {"error": "longer than maxModelLen"}), "POST")
    done = bench("qwen", "--streams", "1", "--turns", "1")
    assert (done.code, done.out) == (1, "")
    assert "the model answered 400: longer than maxModelLen" in done.err
    assert "Traceback" not in done.err


def test_requests_that_all_fail_under_load_are_one_sentence(served: Api) -> None:
    first = iter([lambda: iter([data("a"), data("b")])])

    def answer() -> Any:
        return next(first, lambda: iter(['data: {"error":"the queue is full"}\n\n']))()

    served.holds(GENERATE, answer, "POST")
    done = bench("qwen", "--streams", "1", "--turns", "1", "--tokens", "2")
    assert (done.code, done.out) == (1, "")
    assert "with 1 streams every request failed: " in done.err
    assert "the queue is full" in done.err


@pytest.mark.usefixtures("served")
def test_answers_shorter_than_what_would_be_counted_are_not_measured() -> None:
    done = bench("qwen", "--streams", "1", "--turns", "1", "--tokens", "3")
    assert (done.code, done.out) == (2, "")
    assert "--tokens 3: the model stopped after 2" in done.err


def test_an_address_is_asked_instead_of_a_forwarded_port(served: Api) -> None:
    done = bench("qwen", "--streams", "1", "--turns", "1", "--tokens", "2", "--url", served.url)
    assert done.code == 0, done.err
    assert f"asked at {served.url}" in done.out
    assert not [path for _, path, _, _ in served.asked if path.endswith("portforward")]
    gone = bench("qwen", "--streams", "1", "--url", "127.0.0.1:1")
    assert (gone.code, "--url 127.0.0.1:1: " in gone.err) == (3, True)


def test_no_permission_to_forward_is_told_as_such(served: Api) -> None:
    for name in ("qwen-1", "qwen-2"):
        path = f"/api/v1/namespaces/models/pods/{name}/portforward"
        served.holds(path, (403, {"message": "no pods/portforward"}))
    done = bench("qwen", "--streams", "1", "--turns", "1")
    assert done.code == 3
    assert "answered 403: no pods/portforward; ask whoever runs the cluster" in done.err


def run(date: str, *seconds: float) -> Results:
    """A run in which level n took so long for each of its tokens."""
    levels = []
    for at, each in enumerate(seconds):
        times = array("d", [each * (n + 1) for n in range(4)])
        levels.append(figures([Sample(0.0, times)] * 2**at, 2**at, 4, {}))
    return Results("hf://a/b", {}, 4, "1 pod on n", date, {"Triton HTTP": levels})


@pytest.fixture
def records(tmp_path: Path) -> tuple[str, str]:
    run("2026-01-01", 0.1, 0.1).save(tmp_path / "old.json")
    run("2026-02-02", 0.05, 0.2).save(tmp_path / "new.json")
    return str(tmp_path / "new.json"), str(tmp_path / "old.json")


def test_two_records_are_compared_without_a_cluster(records: tuple[str, str]) -> None:
    new, old = records
    done = qwenctl("bench", "--results", new, "--against", old)
    assert done.code == 0
    assert "against the run of 2026-01-01 (hf://a/b; 1 pod on n)" in done.out
    rows = [line.split() for line in done.out.splitlines() if line.startswith("Triton HTTP  ")]
    assert rows == [
        ["Triton", "HTTP", "1", "10.0", "20.0", "2.00", "2.00", "2.00"],
        ["Triton", "HTTP", "2", "20.0", "10.0", "0.50", "0.50", "0.50"],
    ]
    value = json.loads(qwenctl("bench", "--results", new, "--against", old, "-o", "json").out)
    assert value["date"] == "2026-02-02"
    assert value["against"]["date"] == "2026-01-01"


def test_a_script_learns_that_it_became_slower(records: tuple[str, str]) -> None:
    new, old = records
    done = qwenctl("bench", "--results", new, "--against", old, "--tolerance", "10")
    assert done.code == 1
    assert done.err == ("slower than before: Triton HTTP with 2 streams: 20.0 → 10.0 tokens/s\n")
    assert qwenctl("bench", "--results", old, "--against", new, "--tolerance", "60").code == 0


def test_what_was_measured_in_one_run_alone_is_not_compared() -> None:
    assert fallen(run("b", 0.2, 0.2), run("a", 0.1), 5) == [
        "Triton HTTP with 1 streams: 10.0 → 5.0 tokens/s"
    ]


def test_a_level_without_an_answer_is_null_in_json_and_a_dash_in_the_table(
    tmp_path: Path,
) -> None:
    failed = figures([Sample(0.0, error="gone")], 1, 4, {})
    Results("m", {}, 4, "x", "d", {"Triton HTTP": [failed]}).save(tmp_path / "run.json")
    done = qwenctl("bench", "--results", str(tmp_path / "run.json"))
    assert done.code == 1
    assert done.out.splitlines()[-1].split() == ["1", *"-------", "1"]
    out = qwenctl("bench", "--results", str(tmp_path / "run.json"), "-o", "json").out
    assert json.loads(out)["doors"]["Triton HTTP"][0]["gap"] == dict.fromkeys(("p50", "p95", "p99"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give either the model"),
        (("qwen", "--results", "x"), "give either the model"),
        (("qwen", "--streams", "1,x"), "--streams '1,x': give numbers of streams"),
        (("qwen", "--streams", "0"), "--streams '0'"),
        (("qwen", "--url", "nowhere"), "--url 'nowhere': give host and port"),
        (("--results", "README.md"), "README.md is no record of a run"),
        (("--results", "examples"), "examples: Is a directory"),
        (("--results", "/nowhere.json"), "/nowhere.json: No such file"),
    ],
)
def test_bad_input_is_one_sentence(served: Api, arguments: tuple[str, ...], words: str) -> None:
    assert served
    done = qwenctl("bench", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


@pytest.mark.usefixtures("api")
def test_a_model_that_is_not_ready_is_not_measured() -> None:
    done = qwenctl("bench", "qwen")
    assert (done.code, done.out) == (3, "")
    assert "no pod of qwen is ready just now" in done.err
