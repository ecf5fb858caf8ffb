"""`qwenctl lint`: every check that API server and operator would make, with the file's lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from qwen_operator import naming
from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.devices import gpu as known_gpu
from qwen_operator.settings import Settings
from qwenctl.checks.findings import Finding, Severity, dotted
from qwenctl.checks.resource import check
from qwenctl.documents import Document, documents, is_ours
from qwenctl.exits import Exit
from qwenctl.files import read_text
from qwenctl.output import Format, Output, say

_ENDINGS = {".yaml", ".yml", ".json"}


def _files(given: list[Path]) -> Iterator[Path]:
    for each in given:
        if each.is_dir():
            inside = sorted(file for file in each.rglob("*") if file.suffix in _ENDINGS)
            if not inside:
                raise InvalidSpec(f"{each} holds no file that ends in .yaml, .yml or .json")
            yield from inside
        else:
            yield each


def _value(file: Path, document: Document, found: Finding) -> dict[str, Any]:
    return {
        "file": str(file),
        "line": _line(document, found),
        "resource": (document.body.get("metadata") or {}).get("name"),
        "field": dotted(found.where),
        "severity": found.severity.value,
        "origin": found.origin.value,
        "message": found.message,
    }


def _line(document: Document, found: Finding) -> int:
    again = dict(document.repeated)
    return again.get(found.where, document.line_of(found.where))


def _parts(values: list[dict[str, Any]], checked: int) -> Iterator[RenderableType]:
    for each in values:
        colour = "red" if each["severity"] == Severity.error else "yellow"
        severity = Text(each["severity"], colour)
        yield Text.assemble(f"{each['file']}:{each['line']}: ", severity, f": {each['message']}")
    errors = sum(each["severity"] == Severity.error for each in values)
    noun = "resource" if checked == 1 else "resources"
    yield f"{checked} {noun} checked, {errors or 'no'} {'error' if errors == 1 else 'errors'}"


def lint(
    files: Annotated[
        list[Path], typer.Argument(help="YAML files or folders of them; - is standard input.")
    ],
    *,
    gpu: Annotated[
        str | None,
        typer.Option(help="Check that it fits this GPU, as in L4; else the file's own."),
    ] = None,
    default_image: Annotated[
        str | None, typer.Option(help="The operator's default image, where it is another one.")
    ] = None,
    output: Output = Format.table,
) -> None:
    """Check QwenDeployments as the API server and the operator would, without either.

    Checked are the schema (unknown fields with the nearest name, types, bounds), its CEL rules,
    and what the operator itself refuses, such as engine arguments that the image's vLLM lacks.
    Documents of other kinds are passed over.
    """
    settings = Settings() if default_image is None else Settings(default_image=default_image)
    device = None if gpu is None else known_gpu(gpu)
    values, checked = [], 0
    for file in _files(files):
        for document in documents(read_text(file), str(file)):
            if is_ours(document.body):
                checked += 1
                found = check(document, settings, device)
                values += [_value(file, document, each) for each in found]
    if not checked:
        raise InvalidSpec(f"no {naming.KIND} in {', '.join(map(str, files))}")
    say(values, output, _parts(values, checked))
    if any(each["severity"] == Severity.error for each in values):
        raise typer.Exit(Exit.NO)
