"""`qwenctl chat`: streaming, history, and Ctrl-C that stops an answer and not the program."""

import json
import os
import pty
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from qwenctl.errors import ModelError
from qwenctl.online.asking import model_path, pieces
from qwenctl.online.talking import Conversation
from tests.unit.qwenctl.api import Api, Json
from tests.unit.qwenctl.calling import COMMAND, ENVIRONMENT, qwenctl
from tests.unit.qwenctl.conftest import hold, pod, serving_body
from tests.unit.stand_ins import resource_body

GENERATE = "/v2/models/qwen/generate_stream"
FORWARD = "/api/v1/namespaces/models/pods/qwen-1/portforward"
READY: Json = {"conditions": [{"type": "Ready", "status": "True"}]}


def data(text: str) -> str:
    return f"data: {json.dumps({'response': text, 'num_output_tokens': 1})}\n\n"


@pytest.fixture
def served(api: Api) -> Api:
    hold(api, serving_body(), [pod(**READY)])
    api.holds(GENERATE, lambda: iter([data("Hel"), data("lo")]), "POST")
    return api


def bodies(api: Api) -> list[Json]:
    return [body for method, path, _, body in api.asked if (method, path) == ("POST", GENERATE)]


def test_one_message_is_asked_and_its_answer_written(served: Api) -> None:
    done = qwenctl("chat", "qwen", "-m", "Who are you?")
    assert (done.code, done.out) == (0, "Hello\n")
    (body,) = bodies(served)
    assert (body["prompt"], body["stream"]) == ("Who are you?", True)
    assert json.loads(body["sampling_parameters"]) == {"max_tokens": 512}
    assert "history" not in body


def test_options_become_sampling_parameters_and_a_system_message(served: Api) -> None:
    arguments = ("--system", "Be brief.", "--max-tokens", "5", "--temperature", "0")
    assert qwenctl("chat", "qwen", "-m", "x", *arguments).code == 0
    (body,) = bodies(served)
    assert json.loads(body["sampling_parameters"]) == {"max_tokens": 5, "temperature": 0}
    assert json.loads(body["history"]) == [{"role": "system", "content": "Be brief."}]


def test_standard_input_is_a_message_where_no_terminal_is(served: Api) -> None:
    assert qwenctl("chat", "qwen", stdin="Who\nare you?\n").out == "Hello\n"
    assert bodies(served)[0]["prompt"] == "Who\nare you?"
    done = qwenctl("chat", "qwen", stdin="\n")
    assert (done.code, done.err) == (2, "error: the message is empty\n")


def test_a_program_gets_the_answer_with_its_figures(served: Api) -> None:
    done = qwenctl("chat", "qwen", "-m", "x", "-o", "json")
    found = json.loads(done.out)
    assert (done.code, found["answer"], found["tokens"]) == (0, "Hello", 2)
    assert 0 < found["firstTokenSeconds"] <= found["seconds"]
    assert bodies(served)


def test_a_pod_that_is_gone_is_replaced_by_another_and_the_same_is_kept_else(served: Api) -> None:
    first, second = pod("qwen-1", **READY), pod("qwen-2", **READY)
    hold(served, serving_body(), [first])
    person = Terminal()
    person.wait_for("> ")
    for pods in ([first], [second, first], [second]):
        hold(served, serving_body(), pods)
        person.type("hi\n")
        person.wait_for("Hello\r\n")
    assert person.leave() == 0
    ways = [path.split("/")[-2] for _, path, _, _ in served.asked if "portforward" in path]
    assert ways == ["qwen-1", "qwen-1", "qwen-2"]


def test_history_holds_what_was_said() -> None:
    talk = Conversation("Be brief.")
    talk.remember("one", "1")
    assert json.loads(talk.request("two")["history"]) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
    ]


def test_a_served_name_leads_to_the_right_place() -> None:
    body = resource_body("x" * 60, model={"source": "hf://a/b", "servedName": "vllm_qwen"})
    path = model_path(body)
    assert path == "/v2/models/vllm_qwen/generate_stream"


def test_a_model_that_is_not_ready_is_not_asked(api: Api) -> None:
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.out) == (1, "")
    assert done.err == "qwen is not Ready: KVCacheTooSmall: pod qwen-1: too small\n"
    assert bodies(api) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (503, {"error": "it is draining"}),
            "the model answered 503: it is draining",
        ),
        ((400, 'data: {"error":"it is long"}\n\n'), "the model answered 400: it is long\n"),
        ((404, "nothing"), "the model answered 404: nothing"),
        (lambda: iter(['data: {"error": "n is 9"}\n']), "answered with an error: n is 9"),
    ],
)
def test_the_models_refusal_is_one_sentence(served: Api, answer: object, words: str) -> None:
    served.holds(GENERATE, answer, "POST")
    done = qwenctl("chat", "qwen", "-m", "x")
    assert done.code == 1
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ((403, {"message": "pods/portforward"}), 3, "answered 403: pods/portforward; ask whoever"),
        ((404, {"message": "pods not found"}), 4, "answered 404: pods not found"),
        ((500, "broken"), 3, "forward port 8000 of pod qwen-1"),
    ],
)
def test_no_way_to_the_pod_is_one_sentence(
    served: Api, answer: object, code: int, words: str
) -> None:
    served.holds(FORWARD, answer)
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_pod_that_hangs_up_is_one_sentence(served: Api) -> None:
    def broken() -> Iterator[str]:
        yield data("Hel")
        raise ConnectionResetError

    served.holds(GENERATE, broken, "POST")
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.out) == (3, "Hel")
    assert "the model's server broke off" in done.err
    assert "Traceback" not in done.err


def test_a_model_whose_pods_are_not_ready_just_now_is_not_asked(served: Api) -> None:
    hold(served, serving_body(), [pod()])
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.out) == (3, "")
    assert "no pod of qwen is ready just now" in done.err


def test_lines_that_are_no_events_are_passed_over() -> None:
    lines = ["", ": ping", "data: {", data("a").strip(), "event: x"]
    assert list(pieces(lines)) == [("a", 1)]
    with pytest.raises(ModelError, match="an error: x"):
        list(pieces(['data: {"error": "x"}']))


class Terminal:
    """A person at a terminal."""

    def __init__(self, *arguments: str) -> None:
        self.main, side = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, "chat", "qwen", *arguments],
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            env={**ENVIRONMENT, "TERM": "dumb", "KUBECONFIG": os.environ["KUBECONFIG"]},
        )
        os.close(side)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.main, text.encode())

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + 10
        while words not in self.seen:
            assert time.monotonic() < deadline, f"{words!r} is not in {self.seen!r}"
            if select.select([self.main], [], [], 0.2)[0]:
                self.seen += os.read(self.main, 65536).decode()
        self.seen = self.seen.split(words, 1)[1]

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def leave(self) -> int:
        self.type("\x04")
        code = self.process.wait(20)
        os.close(self.main)
        return code


def test_a_conversation_goes_on_with_what_was_said(served: Api) -> None:
    person = Terminal()
    person.wait_for("> ")
    person.type("one\n")
    person.wait_for("Hello\r\n")
    person.wait_for("(2 tokens in ")
    person.type("/system Be brief.\n")
    person.wait_for("(taken)")
    person.type("two\n")
    person.wait_for("Hello\r\n")
    person.type("/clear\n")
    person.wait_for("(forgotten)")
    person.type("three\n")
    person.wait_for("Hello\r\n")
    person.type("/what\n")
    person.wait_for("/system TEXT")
    assert person.leave() == 0
    first, second, third = bodies(served)
    assert "history" not in first
    assert [each["role"] for each in json.loads(second["history"])] == [
        "system",
        "user",
        "assistant",
    ]
    assert [each["role"] for each in json.loads(third["history"])] == ["system"]


def test_ctrl_c_stops_the_answer_and_not_the_program(served: Api) -> None:
    ended = threading.Event()

    def endless() -> Iterator[str]:
        try:
            while True:
                yield data("on and ")
                time.sleep(0.02)
        finally:
            ended.set()

    served.holds(GENERATE, endless, "POST")
    person = Terminal()
    person.wait_for("> ")
    person.type("begin\n")
    person.wait_for("on and on and ")
    person.interrupt()
    person.wait_for("(stopped)")
    assert ended.wait(10), "the request goes on although nobody reads it"
    person.wait_for("> ")
    person.interrupt()
    person.wait_for("(Ctrl-D or /exit leaves)")
    served.holds(GENERATE, lambda: iter([data("again")]), "POST")
    person.type("and now?\n")
    person.wait_for("again\r\n")
    assert person.leave() == 0
    history = json.loads(bodies(served)[1]["history"])
    assert history[1]["content"].startswith("on and on and ")


def test_an_answer_that_fails_ends_nothing(served: Api) -> None:
    served.holds(GENERATE, (503, {"error": "no endpoints"}), "POST")
    person = Terminal()
    person.wait_for("> ")
    person.type("one\n")
    person.wait_for("answered 503: no endpoints")
    served.holds(GENERATE, lambda: iter([data("back")]), "POST")
    person.type("two\n")
    person.wait_for("back\r\n")
    person.type("/exit\n")
    assert person.process.wait(20) == 0


def test_ctrl_c_on_a_single_message_is_exit_code_130(served: Api) -> None:
    def endless() -> Iterator[str]:
        while True:
            yield data("on ")
            time.sleep(0.02)

    served.holds(GENERATE, endless, "POST")
    person = Terminal("-m", "x")
    person.wait_for("on on ")
    person.interrupt()
    person.wait_for("(stopped)")
    assert person.process.wait(20) == 130
