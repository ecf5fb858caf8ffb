"""docs/qwenctl.md, made from the commands themselves."""

from enum import EnumType
from typing import Any

import typer

from qwenctl.application import app
from qwenctl.exits import MEANINGS


def _option(each: Any) -> str:  # noqa: ANN401 - typer's own parameter
    names = ", ".join(f"`{name}`" for name in [*each.opts, *each.secondary_opts])
    if each.param_type_name == "argument":
        names = f"`{each.name}`"
    kind = each.type_descriptor.annotation
    choices = list(map(str, kind)) if isinstance(kind, EnumType) else []
    told = [" \\| ".join(choices)] if choices else []
    if each.required:
        told.append("required")
    elif each.default not in {None, False} and not callable(each.default):
        told.append(f"default `{each.default}`")
    words = (each.help or "").replace("|", "\\|")
    return f"| {names} | {words} | {'; '.join(told)} |"


def _section(name: str, command: Any) -> list[str]:  # noqa: ANN401 - typer's own command
    lines = [f"## qwenctl {name}", ""]
    lines += [line.strip() for line in (command.help or "").strip().splitlines()]
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    if shown:
        lines += ["", "| option | meaning | |", "|---|---|---|", *map(_option, shown)]
    return [*lines, ""]


def reference(notice: str) -> str:
    """The whole page."""
    root: Any = typer.main.get_command(app)
    lines = [
        "# qwenctl",
        "",
        f"<!-- {notice} -->",
        "",
        "`pip install '.[cli]'` in a checkout of the repository (it is on no package index yet; on",
        "Debian and Ubuntu in a virtual environment) installs it as `qwenctl` and as `kubectl",
        "qwen`. It runs the operator's own code. Only the commands with `--kubeconfig` ask a",
        "cluster, and none changes it.",
        "`qwenctl --install-completion` teaches it to the shell. Colours are for terminals",
        "only, and never with `NO_COLOR` set.",
        "",
        "| exit code | meaning |",
        "|---|---|",
        *(f"| {code.value} | {words} |" for code, words in MEANINGS.items()),
        "",
    ]
    for name, command in root.commands.items():
        lines += _section(name, command)
    return "\n".join(lines)
