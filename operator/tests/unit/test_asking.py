"""What the chart's test pod does: asks the models that the operators' metrics tell of."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from qwen_operator.asking import Failure, Model, chosen, main


def page(*models: tuple[str, str, int], leads: int = 1) -> str:
    lines = ["# TYPE qwen_operator_leader gauge", f"qwen_operator_leader {leads}.0"]
    lines += ["# TYPE qwen_operator_resource_ready gauge"]
    for resource, served, ready in models:
        namespace, name = resource.split("/")
        labels = f'namespace="{namespace}",name="{name}",model="{served}"'
        lines.append(f"qwen_operator_resource_ready{{{labels}}} {ready}.0")
    return "\n".join(lines) + "\n"


@dataclass
class Stage:
    """An operator and a Triton in one: what they say, and what was asked."""

    metrics: str = ""
    answer: tuple[int, object] = (200, {"response": "I am Qwen."})
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    port: int = 0

    def ask(self, *models: str) -> int:
        options = [f"--operator=127.0.0.1:{self.port}", "--prompt=Who?", "--timeout=1", *models]
        return main(options, lambda _: f"http://127.0.0.1:{self.port}")


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()

    class Handler(BaseHTTPRequestHandler):
        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._say(200, made.metrics.encode())

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            made.asked.append((self.path, json.loads(self.rfile.read(length))))
            status, body = made.answer
            self._say(status, json.dumps(body).encode())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def test_every_ready_model_is_asked_and_its_answer_shown(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.metrics = page(("a/one", "served-1", 1), ("b/two", "served-2", 0), ("c/three", "s3", 1))
    assert stage.ask() == 0
    assert [path for path, _ in stage.asked] == [
        "/v2/models/served-1/generate",
        "/v2/models/s3/generate",
    ]
    assert stage.asked[0][1]["prompt"] == "Who?"
    assert "a/one answers 'Who?': 'I am Qwen.'" in capsys.readouterr().out


def test_no_model_at_all_is_no_failure_and_is_said(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.metrics = page(("a/one", "one", 0))
    assert stage.ask() == 0
    assert stage.asked == []
    assert "no model was asked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wanted", "words"), [("a/one", "a/one is not Ready"), ("a/gone", "no QwenDeployment a/gone")]
)
def test_a_model_that_is_named_must_be_there_and_ready(wanted: str, words: str) -> None:
    with pytest.raises(Failure, match=words):
        chosen([page(("a/one", "one", 0))], [wanted])


def test_the_leader_s_word_counts_not_a_standby_s() -> None:
    pages = [page(("a/old", "old", 1), leads=0), page(("a/new", "new", 1))]
    assert chosen(pages, []) == [Model("a/new", "new", ready=True)]
    with pytest.raises(Failure, match="none of 1 operators leads"):
        chosen(pages[:1], [])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((503, {"error": "the engine is dead"}), "the engine is dead"),
        ((200, {"response": ""}), "an empty answer"),
        ((200, {"text": "?"}), "response"),
    ],
)
def test_a_wrong_answer_fails_with_what_was_said(
    stage: Stage, capsys: pytest.CaptureFixture[str], answer: tuple[int, object], words: str
) -> None:
    stage.metrics, stage.answer = page(("a/one", "one", 1)), answer
    assert stage.ask() == 1
    said = capsys.readouterr().out
    assert said.startswith("FAILED: a/one: POST http://")
    assert words in said


def test_operators_that_do_not_answer_are_a_failure(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.metrics = "no metrics at all {"
    assert stage.ask() == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_model_is_asked_at_the_service_that_the_operator_makes() -> None:
    assert Model("team/tiny", "x", ready=True).address == "http://tiny.team.svc:8000"
    dotted = Model("team/qwen1.5", "x", ready=True).address
    assert dotted.startswith("http://qwen1-5-")
    assert dotted.endswith(".team.svc:8000")
