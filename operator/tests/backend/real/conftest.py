"""The servers of these tests: some are shared, and a test that breaks one has it to itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.backend.real.server import Triton, wait_until_ready
from tests.backend.real.servers import Servers, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    """All servers of the session."""
    folder = partial(tmp_path_factory.mktemp, "server")
    made = Servers(folder, wanted(request.session.items))
    yield made
    made.release_all()


def _shared(servers: Servers, name: str) -> Triton:
    triton = servers.take(name)
    wait_until_ready(triton)
    return triton


@pytest.fixture(scope="session")
def triton(servers: Servers) -> Triton:
    """The server that the tests share; a test that breaks it has its own."""
    return _shared(servers, "triton")


@pytest.fixture(scope="module")
def talking(servers: Servers) -> Iterator[Triton]:
    """A server with the model that was trained to talk, and the parsers that it is made for."""
    yield _shared(servers, "talking")
    servers.release("talking")


@pytest.fixture(scope="session")
def furnished(servers: Servers) -> Triton:
    """A server with all that a model may have: adapters, parsers, a key, a bound on its queue.

    Its engine takes its time: of the long answers that keep it busy none ends while a test looks.
    """
    return _shared(servers, "furnished")


@pytest.fixture(scope="session")
def paced(servers: Servers) -> Triton:
    """A server whose engine takes its time, and which takes five seconds of silence for a hang."""
    return _shared(servers, "paced")


@pytest.fixture
def server(servers: Servers, request: pytest.FixtureRequest) -> Iterator[Triton]:
    """A server of the test's own, as its marker of this name says: it is ready, or has ended."""
    name = request.node.nodeid
    yield servers.take(name)
    servers.release(name)
