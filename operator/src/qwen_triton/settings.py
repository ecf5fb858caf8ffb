"""What Triton hands to the model at start, as one typed value."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ENGINE_FILE = "model.json"

DEFAULT_HEALTH_PORT = 9000
DEFAULT_DRAIN_SECONDS = 20.0


class BadSettings(ValueError):
    """The repository entry cannot be served as it stands."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One model as the repository entry describes it."""

    model_name: str
    model_version: str
    served_model_name: str
    engine_arguments: Mapping[str, object]
    system_prompt: str | None = None
    chat_template: str | None = None
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    health_port: int = DEFAULT_HEALTH_PORT
    drain_seconds: float = DEFAULT_DRAIN_SECONDS
    config_hash: str = ""


def parse_settings(args: Mapping[str, str], engine_file: str) -> Settings:
    """Settings from what `initialize` is given and the text of model.json.

    Args:
        args: Triton's arguments; `model_config` is config.pbtxt as JSON.
        engine_file: text of model.json: vLLM's engine arguments and nothing else.

    Raises:
        BadSettings: with the name of what is wrong.
    """
    config = json.loads(args["model_config"])
    parameters = _parameters(config.get("parameters") or {})
    return Settings(
        model_name=args["model_name"],
        model_version=args["model_version"],
        served_model_name=parameters.get("served_model_name") or args["model_name"],
        engine_arguments=_engine_arguments(engine_file),
        system_prompt=parameters.get("system_prompt") or None,
        chat_template=parameters.get("chat_template") or None,
        tool_call_parser=parameters.get("tool_call_parser") or None,
        reasoning_parser=parameters.get("reasoning_parser") or None,
        health_port=_port(parameters.get("health_port")),
        drain_seconds=_seconds(parameters.get("drain_seconds")),
        config_hash=parameters.get("config_hash", ""),
    )


def _parameters(given: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {name: value.get("string_value", "") for name, value in given.items()}


def _engine_arguments(text: str) -> Mapping[str, object]:
    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise BadSettings(f"{ENGINE_FILE} is not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise BadSettings(f"{ENGINE_FILE} must be a JSON object of vLLM engine arguments")
    if not arguments.get("model"):
        raise BadSettings(
            f"{ENGINE_FILE} does not name a model: set 'model' to a folder or a hub id"
        )
    return arguments


def _port(text: str | None) -> int:
    if not text:
        return DEFAULT_HEALTH_PORT
    if not text.isdecimal() or not 0 < int(text) < 2**16:  # ports are 16 bit
        raise BadSettings(f"parameter health_port must be a port, not {text!r}")
    return int(text)


def _seconds(text: str | None) -> float:
    if not text:
        return DEFAULT_DRAIN_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds < float("inf"):
        raise BadSettings(f"parameter drain_seconds must be a number of seconds, not {text!r}")
    return seconds
