"""What Triton hands to the model at start, as one typed value."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_triton.adapters import NVIDIAS_FILE, PARAMETER, Adapter, read_adapters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENGINE_FILE = "model.json"

DEFAULT_HEALTH_PORT = 9000
DEFAULT_DRAIN_SECONDS = 20.0
# The engine answers a trivial call between two steps; on a CPU one long prompt is one long step.
DEFAULT_SILENCE_SECONDS = 60.0

_SILENCE = "engine_silence_seconds"


class BadSettings(ValueError):
    """The repository entry cannot be served as it stands."""


class BadAdapter(BadSettings):
    """An adapter cannot be loaded; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One model as the repository entry describes it.

    Attributes:
        instance: which of Triton's instances of the model this process is, from 0.
        instances: how many there are; they share one engine.
        engine_silence_seconds: how long the engine may answer nothing before it is called stuck.
        max_queued_requests: how many may wait beyond those that run; None is no bound.
        adapters: LoRA adapters of the model.
    """

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
    engine_silence_seconds: float = DEFAULT_SILENCE_SECONDS
    config_hash: str = ""
    instance: int = 0
    instances: int = 1
    max_queued_requests: int | None = None
    adapters: tuple[Adapter, ...] = ()


def parse_settings(args: Mapping[str, str], engine_file: str, adapters_file: str = "") -> Settings:
    """Settings from what `initialize` is given and the text of model.json.

    Args:
        args: Triton's arguments; `model_config` is config.pbtxt as JSON.
        engine_file: text of model.json: vLLM's engine arguments and nothing else.
        adapters_file: text of NVIDIA's multi_lora.json, where there is one.

    Raises:
        BadSettings: with the name of what is wrong.
    """
    config = json.loads(args["model_config"])
    parameters = _parameters(config.get("parameters") or {})
    arguments = _engine_arguments(engine_file)
    if str(arguments.get("enable_lora")).lower() != "true":
        # NVIDIA's backend reads its file only then.
        adapters_file = ""
    return Settings(
        model_name=args["model_name"],
        model_version=args["model_version"],
        served_model_name=parameters.get("served_model_name") or args["model_name"],
        engine_arguments=arguments,
        system_prompt=parameters.get("system_prompt") or None,
        chat_template=parameters.get("chat_template") or None,
        tool_call_parser=parameters.get("tool_call_parser") or None,
        reasoning_parser=parameters.get("reasoning_parser") or None,
        health_port=_port(parameters.get("health_port")),
        drain_seconds=_seconds(parameters, "drain_seconds", DEFAULT_DRAIN_SECONDS),
        engine_silence_seconds=_seconds(parameters, _SILENCE, DEFAULT_SILENCE_SECONDS, 1.0),
        config_hash=parameters.get("config_hash", ""),
        instance=_instance(args.get("model_instance_name", "")),
        instances=_instances(config.get("instance_group") or []),
        max_queued_requests=_count(parameters.get("max_queued_requests")),
        adapters=_adapters(parameters.get(PARAMETER, ""), adapters_file),
    )


def _parameters(given: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {name: value.get("string_value", "") for name, value in given.items()}


def _instance(name: str) -> int:
    """Triton names instances <group>_<number>."""
    number = name.rpartition("_")[2]
    return int(number) if number.isdecimal() else 0


def _instances(groups: Sequence[Mapping[str, object]]) -> int:
    if len(groups) > 1:
        raise BadSettings(
            f"config.pbtxt has {len(groups)} instance groups: all instances share one engine, so"
            " set one group with the count that is wanted"
        )
    return max((int(str(group.get("count", 1))) for group in groups), default=1)


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


def _count(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise BadSettings(f"parameter max_queued_requests must be a number, not {text!r}")
    return int(text)


def _adapters(parameter: str, file: str) -> tuple[Adapter, ...]:
    try:
        return read_adapters(parameter, file)
    except (ValueError, TypeError) as error:
        where = f"parameter {PARAMETER}" if parameter else NVIDIAS_FILE
        raise BadSettings(f"{where}: {error}") from error


def _seconds(parameters: Mapping[str, str], name: str, default: float, least: float = 0.0) -> float:
    text = parameters.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not least <= seconds < float("inf"):
        raise BadSettings(
            f"parameter {name} must be a number of seconds from {least:g} on, not {text!r}"
        )
    return seconds
