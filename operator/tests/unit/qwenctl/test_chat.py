"""`qwenctl chat`: streaming, history, and Ctrl-C that stops an answer and not the program."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from qwenctl.online.asking import served_name
from qwenctl.online.talking import Conversation
from tests.unit.qwenctl import triton
from tests.unit.qwenctl.api import Api, Json
from tests.unit.qwenctl.calling import COMMAND, ENVIRONMENT, qwenctl
from tests.unit.qwenctl.conftest import hold, pod, serving_body
from tests.unit.qwenctl.triton import Refusal, Triton
from tests.unit.stand_ins import resource_body

FORWARD = "/api/v1/namespaces/models/pods/qwen-1/portforward"
READY: Json = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture
def served(api: Api) -> Iterator[Triton]:
    hold(api, serving_body(), [pod(**READY)])
    with triton.running() as made:
        api.pods[8001] = made.port
        yield made


def test_one_message_is_asked_and_its_answer_written(served: Triton) -> None:
    done = qwenctl("chat", "qwen", "-m", "Who are you?")
    assert (done.code, done.out) == (0, "Hello\n")
    (body,) = served.asked
    assert (body["model"], body["prompt"], body["stream"]) == ("qwen", "Who are you?", True)
    assert json.loads(body["sampling_parameters"]) == {"max_tokens": 512}
    assert "history" not in body


def test_options_become_sampling_parameters_and_a_system_message(served: Triton) -> None:
    arguments = ("--system", "Be brief.", "--max-tokens", "5", "--temperature", "0")
    assert qwenctl("chat", "qwen", "-m", "x", *arguments).code == 0
    (body,) = served.asked
    assert json.loads(body["sampling_parameters"]) == {"max_tokens": 5, "temperature": 0}
    assert json.loads(body["history"]) == [{"role": "system", "content": "Be brief."}]


def test_standard_input_is_a_message_where_no_terminal_is(served: Triton) -> None:
    assert qwenctl("chat", "qwen", stdin="Who\nare you?\n").out == "Hello\n"
    assert served.asked[0]["prompt"] == "Who\nare you?"
    done = qwenctl("chat", "qwen", stdin="\n")
    assert (done.code, done.err) == (2, "error: the message is empty\n")


def test_a_program_gets_the_answer_with_its_figures(served: Triton) -> None:
    done = qwenctl("chat", "qwen", "-m", "x", "-o", "json")
    found = json.loads(done.out)
    assert (done.code, found["answer"], found["tokens"]) == (0, "Hello", 2)
    assert 0 < found["firstTokenSeconds"] <= found["seconds"]
    assert served.asked


@pytest.mark.usefixtures("served")
def test_a_pod_that_is_gone_is_replaced_by_another_and_the_same_is_kept_else(api: Api) -> None:
    first, second = pod("qwen-1", **READY), pod("qwen-2", **READY)
    hold(api, serving_body(), [first])
    person = Terminal()
    person.wait_for("> ")
    for pods in ([first], [second, first], [second]):
        hold(api, serving_body(), pods)
        person.type("hi\n")
        person.wait_for("Hello\r\n")
    assert person.leave() == 0
    ways = [path.split("/")[-2] for _, path, _, _ in api.asked if "portforward" in path]
    assert ways == ["qwen-1", "qwen-1", "qwen-2"]


def test_history_holds_what_was_said() -> None:
    talk = Conversation("Be brief.")
    talk.remember("one", "1")
    assert json.loads(str(talk.request("two")["history"])) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
    ]


def test_a_model_is_asked_by_its_served_name() -> None:
    body = resource_body("x" * 60, model={"source": "hf://a/b", "servedName": "vllm_qwen"})
    assert served_name(body) == "vllm_qwen"


def test_a_model_that_is_not_ready_is_not_asked(api: Api) -> None:
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.out) == (1, "")
    assert done.err == "qwen is not Ready: KVCacheTooSmall: pod qwen-1: too small\n"
    assert not [path for _, path, _, _ in api.asked if "portforward" in path]


def test_the_models_refusal_is_one_sentence(served: Triton) -> None:
    def refused() -> Iterator[str]:
        yield "Hel"
        raise Refusal("n is 9")

    served.answer = refused
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.err) == (1, "error: the model answered: n is 9\n")


def test_a_server_that_knows_no_such_call_is_one_sentence(served: Triton) -> None:
    def broken() -> Iterator[str]:
        raise ValueError("a defect")
        yield ""

    served.answer = broken
    done = qwenctl("chat", "qwen", "-m", "x")
    assert done.code == 1
    assert done.err.startswith("error: the model's server answered: ")
    assert "a defect (UNKNOWN)" in done.err


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ((403, {"message": "pods/portforward"}), 3, "answered 403: pods/portforward; ask whoever"),
        ((404, {"message": "pods not found"}), 4, "answered 404: pods not found"),
        ((500, "broken"), 3, "forward port 8001 of pod qwen-1"),
    ],
)
@pytest.mark.usefixtures("served")
def test_no_way_to_the_pod_is_one_sentence(api: Api, answer: object, code: int, words: str) -> None:
    api.holds(FORWARD, answer)
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.usefixtures("served")
def test_a_port_that_kubelet_cannot_reach_is_one_sentence(api: Api) -> None:
    api.pods[8001] = "failed to connect to localhost:8001: connection refused"
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: port 8001 of pod qwen-1: failed to connect to localhost:8001: connection refused\n"
    )


def test_a_pod_that_hangs_up_is_one_sentence(served: Triton) -> None:
    def broken() -> Iterator[str]:
        yield "Hel"
        served.hang_up()
        served.ended.wait(20)

    served.answer = broken
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.out) == (3, "Hel")
    assert "error: port 8001 of pod qwen-1: the model's server broke off" in done.err
    assert "Traceback" not in done.err


def test_a_proxy_of_the_shell_is_not_asked(served: Triton) -> None:
    nowhere = {"grpc_proxy": "http://127.0.0.1:1", "no_proxy": ""}
    assert qwenctl("chat", "qwen", "-m", "x", env=nowhere).out == "Hello\n"
    assert served.asked


@pytest.mark.usefixtures("served")
def test_a_model_whose_pods_are_not_ready_just_now_is_not_asked(api: Api) -> None:
    hold(api, serving_body(), [pod()])
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.out) == (3, "")
    assert "no pod of qwen is ready just now" in done.err


@pytest.mark.usefixtures("served")
def test_without_tritons_client_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("qwenctl.messages", "tritonclient.grpc"):
        monkeypatch.setitem(sys.modules, module, None)
    done = qwenctl("chat", "qwen", "-m", "x")
    assert (done.code, done.out) == (2, "")
    assert "Triton's gRPC client is missing" in done.err
    assert "pip install '.[cli]'" in done.err


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
        self._before = termios.tcgetattr(self.main)
        os.close(side)
        self.seen = ""

    @property
    def is_restored(self) -> bool:
        """The terminal's settings are those of before."""
        return termios.tcgetattr(self.main) == self._before

    def type(self, text: str) -> None:
        os.write(self.main, text.encode())

    def wait_for(self, words: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.seen:
            assert time.monotonic() < deadline, f"{words!r} is not in {self.seen!r}"
            if select.select([self.main], [], [], 0.2)[0]:
                self.seen += os.read(self.main, 65536).decode()
        self.seen = self.seen.split(words, 1)[1]

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def interrupt_the_line(self, words: str) -> None:
        """Press Ctrl-C at the prompt until it is heeded.

        Between writing the prompt and waiting for a key Python does not look at signals:
        whoever is quicker than that is only heard at the next key.
        """
        for _ in range(30):
            self.interrupt()
            with suppress(AssertionError):
                self.wait_for(words, 2)
                return
        raise AssertionError(f"nobody heeds Ctrl-C: {self.seen!r}")

    def leave(self) -> int:
        # Before the prompt the terminal itself would take it, and readline would not see it.
        self.wait_for("> ")
        self.type("\x04")
        code = self.process.wait(60)
        os.close(self.main)
        return code


def test_a_conversation_goes_on_with_what_was_said(served: Triton) -> None:
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
    first, second, third = served.asked
    assert "history" not in first
    assert [each["role"] for each in json.loads(second["history"])] == [
        "system",
        "user",
        "assistant",
    ]
    assert [each["role"] for each in json.loads(third["history"])] == ["system"]


def test_a_line_can_be_edited_and_what_was_typed_comes_back_with_the_arrow_keys(
    served: Triton,
) -> None:
    person = Terminal()
    person.wait_for("> ")
    person.type("whX\x7fo?\n")
    person.wait_for("Hello\r\n")
    person.wait_for("> ")
    person.type("\x1b[A\x01really, \n")
    person.wait_for("Hello\r\n")
    person.wait_for("> ")
    assert person.is_restored is False, "readline has it now"
    person.type("\x04")
    assert person.process.wait(60) == 0
    assert person.is_restored
    os.close(person.main)
    assert [each["prompt"] for each in served.asked] == ["who?", "really, who?"]


def test_ctrl_c_stops_the_answer_and_not_the_program(served: Triton) -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "on and "
            time.sleep(0.02)

    served.answer = endless
    person = Terminal()
    person.wait_for("> ")
    person.type("begin\n")
    person.wait_for("on and on and ")
    person.interrupt()
    person.wait_for("(stopped)")
    assert served.ended.wait(10), "the request goes on although nobody reads it"
    person.wait_for("> ")
    person.interrupt_the_line("(Ctrl-D or /exit leaves)")
    served.answer = lambda: ["again"]
    person.type("and now?\n")
    person.wait_for("again\r\n")
    assert person.leave() == 0
    history = json.loads(served.asked[1]["history"])
    assert history[1]["content"].startswith("on and on and ")


def test_ctrl_c_cancels_a_question_that_still_waits_in_the_queue(served: Triton) -> None:
    served.answer = lambda: [str(served.ended.wait(20))]
    person = Terminal()
    person.wait_for("> ")
    person.type("begin\n")
    deadline = time.monotonic() + 20
    while not served.asked:
        assert time.monotonic() < deadline, f"nothing was asked: {person.seen!r}"
        time.sleep(0.05)
    person.interrupt()
    person.wait_for("(stopped)")
    assert served.ended.wait(20), "the call goes on although nobody wants its answer"
    assert person.leave() == 0


def test_an_answer_that_fails_ends_nothing(served: Triton) -> None:
    def draining() -> Iterator[str]:
        raise Refusal("it is draining")
        yield ""

    served.answer = draining
    person = Terminal()
    person.wait_for("> ")
    person.type("one\n")
    person.wait_for("the model answered: it is draining")
    served.answer = lambda: ["back"]
    person.type("two\n")
    person.wait_for("back\r\n")
    person.type("/exit\n")
    assert person.process.wait(60) == 0


def test_ctrl_c_on_a_single_message_is_exit_code_130(served: Triton) -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "on "
            time.sleep(0.02)

    served.answer = endless
    person = Terminal("-m", "x")
    person.wait_for("on on ")
    person.interrupt()
    person.wait_for("(stopped)")
    assert person.process.wait(60) == 130
