"""`qwenctl … | true`: whoever reads the output goes away before it comes."""

import os
import subprocess

import pytest
import typer

from qwenctl.application import app
from tests.unit.qwenctl.calling import COMMAND, ENVIRONMENT, ROOT

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
WRITING = (
    "",
    "--help",
    "--version",
    "--show-completion",
    "compat",
    "explain Serving",
    "fit Qwen/Qwen2.5-7B-Instruct --gpu L4",
    "init Qwen/Qwen2.5-7B-Instruct --gpu L4",
    "lint examples/qwen1.5-1.8b-chat-gpu.yaml",
    "render examples/qwen1.5-1.8b-chat-gpu.yaml",
    "nonsense",
    "fit nonsense --gpu L4",
    "top --kubeconfig /nowhere",
)


def unread(command: str) -> int:
    """The exit code of a command whose output and errors nobody reads."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        words = [*COMMAND, *command.split()]
        return subprocess.run(
            words,
            stdout=pipe,
            stderr=pipe,
            check=False,
            cwd=ROOT,
            env={**ENVIRONMENT, "SHELL": "/bin/bash"},
        ).returncode


@pytest.mark.parametrize("command", WRITING)
def test_a_reader_that_goes_away_is_one_exit_code_whatever_is_written(command: str) -> None:
    assert unread(command) == 141


def test_so_it_is_with_the_help_of_every_command() -> None:
    assert {name: unread(f"{name} --help") for name in COMMANDS} == dict.fromkeys(COMMANDS, 141)


@pytest.mark.parametrize("command", ["--help", "compat"])
def test_and_it_is_no_error_message(command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            [*COMMAND, command],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
            env=ENVIRONMENT,
        )
    assert (done.returncode, done.stderr) == (141, b"")
