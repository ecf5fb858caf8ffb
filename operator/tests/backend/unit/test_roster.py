from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qwen_triton.processes import is_process_alive, start_time
from qwen_triton.roster import EngineNotShared, Roster, SharedEngine, folder_of_server

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = SharedEngine(["ipc:///a", "ipc:///b"], ["ipc:///c", "ipc:///d"], [1, 2])


def ended_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture
def first(tmp_path: Path) -> Roster:
    return Roster(0, 2, tmp_path / "server")


@pytest.fixture
def second(tmp_path: Path) -> Roster:
    return Roster(1, 2, tmp_path / "server")


async def test_the_others_attach_to_the_engine_that_the_first_has_started(
    first: Roster, second: Roster
) -> None:
    waiting = asyncio.ensure_future(second.engine())
    await asyncio.sleep(0)
    assert not waiting.done()
    first.publish(ENGINE)
    assert await asyncio.wait_for(waiting, 5) == ENGINE


async def test_an_engine_that_failed_is_not_waited_for(first: Roster, second: Roster) -> None:
    first.fail()
    with pytest.raises(EngineNotShared, match="could not start the engine"):
        await asyncio.wait_for(second.engine(), 5)


async def test_a_first_instance_that_has_died_is_not_waited_for(
    first: Roster, second: Roster
) -> None:
    file = first.folder / "instance-0.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"pid": ended_process()}))
    with pytest.raises(EngineNotShared):
        await asyncio.wait_for(second.engine(), 5)


def test_all_are_here_when_all_have_been_loaded(first: Roster, second: Roster) -> None:
    assert not first.are_all_here()
    second.sign(0)
    assert first.are_all_here()


def test_each_sees_the_streams_of_the_others_and_not_its_own(first: Roster, second: Roster) -> None:
    first.sign(3)
    second.sign(0)
    assert not first.have_others_streams()
    assert second.have_others_streams()


def test_who_has_left_says_nothing_more(first: Roster, second: Roster) -> None:
    second.sign(2)
    assert [other.pid for other in first.others()] == [os.getpid()]
    second.leave()
    second.sign(2)
    assert first.others() == []


def test_all_drain_when_the_engine_is_about_to_end(first: Roster, second: Roster) -> None:
    assert not second.is_draining
    first.drain()
    assert second.is_draining


def test_every_instance_has_endpoints_of_its_own(first: Roster) -> None:
    inputs, outputs = first.endpoints()
    assert len({*inputs, *outputs}) == 4
    # What a socket's path has room for.
    assert all(len(each.removeprefix("ipc://")) < 108 for each in inputs)


def test_two_servers_never_share_a_folder_nor_do_two_models() -> None:
    mine = folder_of_server("a")
    assert mine == folder_of_server("a")
    assert mine != folder_of_server("b")
    assert str(start_time(os.getppid())) in mine.name


def test_a_process_is_alive_until_it_has_ended_reaped_or_not() -> None:
    assert is_process_alive(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_process_alive(child.pid)
    child.wait()
    assert not is_process_alive(child.pid)
    assert start_time(child.pid) == 0
