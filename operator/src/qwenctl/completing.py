"""What the shell offers while a person types: from the tables, without a cluster."""

import contextlib
import io
import os
import sys

import typer

from qwen_operator.compat.engine_arguments import ARGUMENTS, VERSIONS
from qwen_operator.compat.images import FAMILIES, NVIDIA_TAGS
from qwen_operator.fit.devices import gpus
from qwen_operator.fit.knowledge import read

_ORGANISATION = "Qwen"


def beginning(names: list[str], typed: str) -> list[str]:
    """Names that begin with what was typed; shells take no other."""
    return [each for each in names if each.startswith(typed)]


def models(incomplete: str) -> list[str]:
    """Models of the table and their published quantised checkpoints."""
    known = read("models")
    names = []
    for base in known["models"]:
        names.append(f"{_ORGANISATION}/{base}")
        family = known["quantised"].get(base.split("-")[0], ())
        suffixes = known["quantised_of"].get(base) or family
        names += [f"{_ORGANISATION}/{base}{suffix}" for suffix in suffixes]
    return beginning(names, incomplete)


def gpu_names(incomplete: str) -> list[str]:
    """GPUs of the table."""
    return beginning([each.name for each in gpus()], incomplete)


def compared(incomplete: str) -> list[str]:
    """Tags, versions, engine arguments and families of models."""
    return beginning([*NVIDIA_TAGS, *VERSIONS, *ARGUMENTS, *FAMILIES], incomplete)


def arguments(incomplete: str) -> list[str]:
    """Engine arguments."""
    return beginning(list(ARGUMENTS), incomplete)


def for_kubectl() -> None:
    """`kubectl_complete-qwen`, which kubectl runs when somebody completes `kubectl qwen …`."""
    from qwenctl.application import app  # noqa: PLC0415 - that imports this module

    os.environ |= {
        "_QWENCTL_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_ARGS": " ".join(["qwenctl", *sys.argv[1:]]),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    sys.argv = ["qwenctl"]
    found = io.StringIO()
    with contextlib.redirect_stdout(found), contextlib.suppress(SystemExit):
        typer.main.get_command(app).main(prog_name="qwenctl")
    # 4: no file names where nothing was offered; https://pkg.go.dev/github.com/spf13/cobra
    sys.stdout.write(f"{found.getvalue().rstrip()}\n:4\n".lstrip())
