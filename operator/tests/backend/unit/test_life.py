from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qwen_triton.health import HealthServer, listen
from qwen_triton.liveness import Liveness, Phase, Pulse, verdict
from qwen_triton.processes import is_process_alive
from qwen_triton.settings import BadSettings
from qwen_triton.takeover import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVING = Pulse(phase=Phase.SERVING, beaten_at=100.0, answered_at=100.0)


def test_a_serving_model_with_a_fresh_beat_is_alive() -> None:
    assert verdict(SERVING, 101.0).alive


@pytest.mark.parametrize("phase", list(Phase)[: list(Phase).index(Phase.SERVING)])
def test_a_model_that_is_not_loaded_yet_is_not_alive(phase: Phase) -> None:
    found = verdict(replace(SERVING, phase=phase), 100.0)
    assert (found.alive, found.status) == (False, "loading")


def test_a_loop_that_does_not_turn_is_stuck() -> None:
    found = verdict(SERVING, 111.0)
    assert (found.alive, found.status) == (False, "stuck")
    assert "loop has not turned for 11 s" in found.reason


def test_an_engine_that_does_not_answer_is_stuck_although_the_loop_turns() -> None:
    found = verdict(replace(SERVING, beaten_at=200.0), 200.0)
    assert (found.alive, found.status) == (False, "stuck")
    assert "engine has not answered for 100 s" in found.reason


def test_the_engine_may_be_silent_as_long_as_it_is_told() -> None:
    patient, strict = Liveness(silence=100.0), Liveness(silence=0.0)
    for each in (patient, strict):
        each.enter(Phase.SERVING)
        each.beat()
    assert verdict(replace(patient.pulse, beaten_at=200.0, answered_at=110.0), 200.0).alive
    until_later = strict.pulse.answered_at + 1
    assert "engine has not answered" in verdict(strict.pulse, until_later).reason


def test_a_dead_model_stays_dead_for_its_first_reason() -> None:
    liveness = Liveness()
    assert liveness.fail("EngineDead: gone")
    assert not liveness.fail("another")
    liveness.enter(Phase.DRAINING)
    assert liveness.verdict().reason == "EngineDead: gone"


def test_a_draining_model_takes_nothing_more() -> None:
    liveness = Liveness()
    liveness.enter(Phase.SERVING)
    assert liveness.verdict().alive
    liveness.enter(Phase.DRAINING)
    assert liveness.verdict().status == "draining"


@pytest.fixture
def server() -> Iterator[HealthServer]:
    made = HealthServer(listen(0), Liveness(), {"model": "m"})
    made.resume()
    yield made
    made.close()


def get(server: HealthServer, path: str = "/health") -> tuple[int, dict[str, object]]:
    port = server.listener.getsockname()[1]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def told(server: HealthServer) -> tuple[int, dict[str, object]]:
    """The answer without its times."""
    status, body = get(server)
    body.pop("phases")
    return status, body


def test_health_tells_when_each_phase_was_entered_first(server: HealthServer) -> None:
    began = time.time()
    for phase in (Phase.IMPORTING, Phase.DOWNLOADING, Phase.LOADING):
        server.liveness.enter(phase)
    _, body = get(server)
    phases = body["phases"]
    assert isinstance(phases, dict)
    assert list(phases) == ["starting", "importing", "downloading", "loading"]
    assert sorted(phases.values()) == list(phases.values())
    assert phases["loading"] >= began - 1
    server.liveness.enter(Phase.LOADING)
    assert get(server)[1]["phases"] == phases


def test_health_is_answered_while_loading_serving_and_dead(server: HealthServer) -> None:
    server.liveness.enter(Phase.LOADING)
    assert told(server) == (503, {"status": "loading", "phase": "loading", "model": "m"})
    server.liveness.enter(Phase.SERVING)
    assert told(server) == (200, {"status": "ok", "phase": "serving", "model": "m"})
    server.liveness.fail("EngineDead: gone")
    status, body = get(server)
    assert (status, body["status"], body["reason"]) == (503, "dead", "EngineDead: gone")


def test_every_other_path_says_that_nothing_is_served(server: HealthServer) -> None:
    status, body = get(server, "/v1/models")
    assert status == 503
    assert "error" in body


def test_a_client_who_connects_during_a_pause_is_answered_after_it(server: HealthServer) -> None:
    server.pause()
    with socket.create_connection(server.listener.getsockname()[:2], timeout=5) as client:
        client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        server.resume()
        assert client.recv(100).startswith(b"HTTP/1.0 503")


def test_a_stuck_loop_is_stood_in_for_and_left_alone_when_it_turns_again(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.liveness.enter(Phase.SERVING)
    server.hand_over()
    monkeypatch.setattr("qwen_triton.liveness.STUCK_AFTER_SECONDS", -1.0)
    status, body = get(server)
    assert (status, body["status"]) == (503, "stuck")
    monkeypatch.undo()
    server.take_back()


def test_a_taken_port_is_named() -> None:
    with listen(0) as taken, pytest.raises(BadSettings, match="cannot listen on"):
        listen(taken.getsockname()[1], patience=0.2)


def test_a_port_that_its_last_holder_is_about_to_leave_is_waited_for() -> None:
    taken = listen(0)
    port = taken.getsockname()[1]
    leaving = threading.Timer(0.3, taken.close)
    leaving.start()
    with listen(port) as mine:
        assert mine.getsockname()[1] == port
    leaving.join()


def test_a_process_is_alive_until_it_ends_even_before_it_is_reaped() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert is_process_alive(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_process_alive(child.pid)
    assert not is_process_alive(child.pid)


def test_a_name_with_brackets_does_not_hide_the_state(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (a) Z (b) S 1 1")
    assert is_process_alive(7, proc=tmp_path)


@pytest.mark.parametrize("looks", [1, 3])
def test_ports_that_open_are_seen_and_the_first_that_closes(looks: int) -> None:
    program = (
        "import socket, sys\n"
        "made = [socket.socket(), socket.socket()]\n"
        "for each in made: each.bind(('127.0.0.1', 0))\n"
        "print(flush=True); input()\n"
        "for each in made: each.listen()\n"
        "print(flush=True); input()\n"
        "made[0].close()\n"
        "print(flush=True); input()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        ports, seen = Ports(child.pid), []
        for _ in range(3):
            child.stdout.readline()
            seen.append((ports.are_open(), *(ports.has_closed_one() for _ in range(looks))))
            child.stdin.write(b"\n")
            child.stdin.flush()
        child.wait()
        no, yes = [False] * looks, [True] * looks
        assert seen == [(False, *no), (True, *no), (True, *yes)]
        assert not ports.are_open()
        assert ports.has_closed_one()
