"""Calls into code whose places and parameters move between versions."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def find(modules: Sequence[str], name: str) -> Callable[..., Any]:
    """The function from the first module that has it.

    Raises:
        ImportError: when none has.
    """
    for module in modules:
        try:
            found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
        return found
    raise ImportError(f"this vLLM has no {name} in {' or '.join(modules)}")


def call(function: Callable[..., Any], known: Mapping[str, object]) -> Any:  # noqa: ANN401
    """Call a function with those of the known arguments that this version of it takes."""
    wanted = inspect.signature(function).parameters
    return function(**{name: value for name, value in known.items() if name in wanted})
