"""The servers of these tests: one that they share, and one of its own for a test that breaks it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.backend.real.server import Triton, serving, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    """The server that the tests share; a test that breaks it starts its own."""
    with serving(tmp_path_factory.mktemp("triton")) as server:
        wait_until_ready(server)
        yield server


@pytest.fixture
def start_triton(tmp_path: Path) -> Iterator[Callable[..., Triton]]:
    """Starts a server of the test's own."""
    with ExitStack() as stack:

        def start(
            engine: dict[str, object] | None = None, parameters: dict[str, str] | None = None
        ) -> Triton:
            return stack.enter_context(serving(tmp_path, engine, parameters))

        yield start
