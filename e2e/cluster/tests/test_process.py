"""Processes are known by pid and start time; real ones are started here."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.cluster import process


def started(tmp_path: Path, *argv: str) -> process.Identity:
    record = tmp_path / "record"
    process.spawn(
        argv,
        record=record,
        group=tmp_path,
        log=tmp_path / "log",
        environment={"PATH": "/usr/bin:/bin"},
    )
    deadline = time.monotonic() + 5
    while (identity := process.read_record(record)) is None:
        assert time.monotonic() < deadline
    return identity


def test_a_started_process_is_recorded_and_stopped(tmp_path: Path) -> None:
    identity = started(tmp_path, "sleep", "60")
    assert process.is_alive(identity)
    process.stop([identity], grace=5)
    assert not process.is_alive(identity)


def test_a_started_process_keeps_nothing_of_ours_open(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)  # noqa: FBT003 - Python's own signature
        listing = "ls -l /proc/self/fd; echo listed"
        identity = started(tmp_path, "sh", "-c", listing)
        deadline = time.monotonic() + 5
        while "listed" not in (log := (tmp_path / "log").read_text()):
            assert time.monotonic() < deadline
    assert str(tmp_path / "log") in log
    assert str(tmp_path / "lock") not in log
    process.stop([identity], grace=5)


def test_one_that_ignores_the_asking_is_killed(tmp_path: Path) -> None:
    identity = started(tmp_path, "sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done")
    deadline = time.monotonic() + 5
    while "deaf" not in (tmp_path / "log").read_text():
        assert time.monotonic() < deadline
    process.stop([identity], grace=0.3)
    assert not process.is_alive(identity)


def test_a_process_enters_its_group_before_it_is_the_daemon(tmp_path: Path) -> None:
    identity = started(tmp_path, "sleep", "60")
    deadline = time.monotonic() + 5
    while not Path(f"/proc/{identity.pid}/cmdline").read_text().startswith("sleep"):
        assert time.monotonic() < deadline
    assert (tmp_path / "cgroup.procs").read_text().strip() == str(identity.pid)
    process.stop([identity], grace=5)


@pytest.mark.parametrize("since", ["this boot", "another boot"])
def test_another_process_with_the_same_pid_is_neither_alive_nor_stopped(
    tmp_path: Path, since: str
) -> None:
    identity = started(tmp_path, "sleep", "60")
    now = since == "this boot"
    other = replace(identity, start="1") if now else replace(identity, boot="1")
    assert not process.is_alive(other)
    process.stop([other], grace=0.2)
    process.send(other, signal.SIGKILL)
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        assert process.is_alive(identity)
    process.stop([identity], grace=5)


@pytest.mark.parametrize("text", ["", "12", "12 34", "x 34 boot", "12 34 boot more"])
def test_a_damaged_record_is_nobody(text: str) -> None:
    assert process.parse_record(text) is None
    assert not process.is_alive(process.parse_record(text))


def test_a_command_name_may_hold_parentheses_and_spaces() -> None:
    assert process.stat_fields("7 (a ) S b) R 1 2 3")[:2] == ["R", "1"]
