"""The reference says something of every command and option."""

from typing import Any

import pytest
import typer

from qwenctl.__main__ import program
from qwenctl.application import app
from qwenctl.exits import MEANINGS, Exit
from tests.unit.qwenctl.calling import qwenctl

ROOT_COMMAND: Any = typer.main.get_command(app)


@pytest.mark.parametrize("name", ROOT_COMMAND.commands)
def test_every_command_and_option_has_words(name: str) -> None:
    command = ROOT_COMMAND.commands[name]
    assert len(command.help) > 20
    for each in command.params:
        assert len(each.help or "") > 5, f"{name} {each.opts}"


def test_the_list_of_commands_says_a_whole_sentence_of_each_on_one_line() -> None:
    listed = qwenctl("--help", env={"COLUMNS": "80"}).out.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in listed] == list(ROOT_COMMAND.commands)
    assert not any("..." in line for line in listed)


@pytest.mark.parametrize(
    ("called", "name"), [("/x/kubectl-qwen", "kubectl qwen"), ("/x/qwenctl", "qwenctl")]
)
def test_it_is_named_as_it_was_called(
    called: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [called])
    assert program() == name


def test_every_exit_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Exit)
