"""`qwenctl compat`: which image holds which vLLM, and which of its arguments, from one table."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from qwen_operator.compat.arguments import INSTEAD, complaint, engine_of
from qwen_operator.compat.engine_arguments import ARGUMENTS, VERSIONS
from qwen_operator.compat.images import (
    CPU_IMAGE,
    CPU_VERSION,
    FAMILIES,
    NVIDIA_DRIVERS,
    NVIDIA_TAGS,
    is_at_least,
    vllm_version,
)
from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.knowledge import nearest
from qwenctl.completing import arguments, compared
from qwenctl.exits import Exit
from qwenctl.output import Format, Output, plain_table, say

Json = dict[str, Any]

_NVIDIA = "nvcr.io/nvidia/tritonserver:{}-vllm-python-py3"


def images() -> list[Json]:
    """Every known image, newest first."""
    made: list[Json] = [
        {"image": _NVIDIA.format(tag), "vllm": version, "driver": NVIDIA_DRIVERS[tag]}
        for tag, version in sorted(NVIDIA_TAGS.items(), reverse=True)
    ]
    return [*made, {"image": CPU_IMAGE, "vllm": CPU_VERSION, "driver": None}]


def _version(what: str) -> str | None:
    """The version of vLLM that is meant: itself, a tag, or an image."""
    if what in VERSIONS:
        return what
    return NVIDIA_TAGS.get(what) or vllm_version(what)


def _order(version: str) -> int:
    return VERSIONS.index(version)


def version_value(version: str) -> Json:
    """What is known of one version of vLLM."""
    at = _order(version)
    return {
        "vllm": version,
        "images": [each["image"] for each in images() if each["vllm"] == version],
        "families": [family for family, first in FAMILIES.items() if is_at_least(version, first)],
        "newArguments": [
            name for name, (first, _) in ARGUMENTS.items() if first == version and at > 0
        ],
        "goneArguments": [
            name
            for name, (_, last) in ARGUMENTS.items()
            if _order(last) == at - 1 and last != VERSIONS[-1]
        ],
    }


def _family(what: str) -> str | None:
    """The family that is meant: itself, or one of its models, as Qwen/Qwen3-8B."""
    found = re.match(r"(?:hf://)?(?:[^/]+/)?(qwen[0-9.]+)(?:-|$)", what, re.IGNORECASE)
    families = {each.lower(): each for each in FAMILIES}
    return None if found is None else families.get(found[1].lower())


def family_value(family: str) -> Json:
    """Which images serve a family of models."""
    first = FAMILIES[family]
    return {
        "family": family,
        "fromVllm": first,
        "images": [each for each in images() if is_at_least(each["vllm"], first)],
    }


def argument_value(name: str) -> Json:
    """What is known of one engine argument."""
    first, last = ARGUMENTS[name]
    held = VERSIONS[_order(first) : _order(last) + 1]
    return {
        "argument": name,
        "firstSeenIn": first,
        "lastSeenIn": last,
        "instead": INSTEAD.get(name),
        "images": [each["image"] for each in images() if each["vllm"] in held],
    }


def _image_table(shown: list[Json]) -> RenderableType:
    rows = [(each["image"], each["vllm"], each["driver"] or "") for each in shown]
    return plain_table(["IMAGE", "VLLM", "NVIDIA DRIVER"], rows)


def _image_parts() -> Iterator[RenderableType]:
    yield _image_table(images())
    yield ""
    families = [(family, first) for family, first in FAMILIES.items()]
    yield plain_table(["MODELS", "FROM VLLM"], families)


def _family_parts(value: Json) -> Iterator[RenderableType]:
    yield f"{value['family']} is served from vLLM {value['fromVllm']} on"
    yield ""
    yield _image_table(value["images"])


def _list_parts(value: Json) -> Iterator[RenderableType]:
    for name, held in value.items():
        told = ", ".join(held) if isinstance(held, list) else held
        yield f"{name}: {told or '-'}"


def compat(
    what: Annotated[
        str | None,
        typer.Argument(
            help="An image, its tag, a version of vLLM, an engine argument, or a model.",
            autocompletion=compared,
        ),
    ] = None,
    *,
    argument: Annotated[
        list[str] | None,
        typer.Option(
            "--argument",
            "-a",
            help="Does that image's vLLM take this argument?",
            autocompletion=arguments,
        ),
    ] = None,
    output: Output = Format.table,
) -> None:
    """Say which image holds which vLLM and needs which driver, and which arguments that takes.

    As in: compat, compat 26.08, compat 0.24.0, compat swap_space, compat Qwen3, compat 26.08 -a
    swap_space.
    """
    if argument:
        _check(what, argument, output)
    elif what is None:
        say({"images": images(), "families": FAMILIES}, output, _image_parts())
    elif what in ARGUMENTS:
        value = argument_value(what)
        say(value, output, _list_parts(value))
    elif (version := _version(what)) is not None:
        value = version_value(version)
        say(value, output, _list_parts(value))
    elif (family := _family(what)) is not None:
        value = family_value(family)
        say(value, output, _family_parts(value))
    else:
        known = [*NVIDIA_TAGS, *VERSIONS, *ARGUMENTS, *FAMILIES]
        raise InvalidSpec(
            f"{what!r} is no known image, version of vLLM, engine argument or family of models"
            f"{nearest(what, known)}"
        )


def _check(what: str | None, arguments: list[str], output: Format) -> None:
    version = None if what is None else _version(what)
    if what is None or version is None:
        raise InvalidSpec(
            "-a needs an image, a tag or a version of vLLM beside it, as in 26.08"
            + ("" if what is None else f"; {what!r} is none that is known")
        )
    # Any image with this vLLM gives the same answer.
    image = next((each["image"] for each in images() if each["vllm"] == version), CPU_IMAGE)
    found = {name: complaint(name, engine_of(image)) for name in arguments}
    parts = [f"{name}: {why or f'vLLM {version} takes it'}" for name, why in found.items()]
    say({"vllm": version, "arguments": found}, output, parts)
    if any(found.values()):
        raise typer.Exit(Exit.NO)
