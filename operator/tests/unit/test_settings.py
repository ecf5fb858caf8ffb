"""The operator's own settings and endpoints."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from qwen_operator.__main__ import backend
from qwen_operator.errors import InvalidSpec, Refused
from qwen_operator.loops.endpoints import serve
from qwen_operator.loops.meters import Meters
from qwen_operator.settings import PREFIX, Settings, read_settings

DATA_PLANE = Path(__file__).parents[2] / "src" / "qwen_triton"


def test_nothing_set_means_the_defaults() -> None:
    assert read_settings({"PATH": "/bin", "QWEN_OPERATOR_PORT": ""}) == Settings()


def test_namespaces_are_a_list() -> None:
    found = read_settings({"QWEN_OPERATOR_WATCH_NAMESPACES": " a, b ,,"})
    assert found.watch_namespaces == ("a", "b")


def test_every_setting_can_be_set() -> None:
    given = {
        "DEFAULT_IMAGE": "a",
        "DEFAULT_CPU_IMAGE": "b",
        "GPU_PRODUCT": "NVIDIA-L4",
        "SCRAPE_INTERVAL_SECONDS": "1.5",
        "SCRAPE_TIMEOUT_SECONDS": "1",
        "SCRAPE_CONCURRENCY": "3",
        "SWEEP_INTERVAL_SECONDS": "30",
        "WATCH_NAMESPACES": "x",
        "WORKERS": "2",
        "LEASE_NAMESPACE": "system",
        "ALLOW_UNSAFE_POD_TEMPLATES": "true",
        "ALLOW_TRUST_REMOTE_CODE": "true",
        "LEASE_NAME": "other",
        "LEASE_IDENTITY": "me",
        "PORT": "1234",
        "PAGE_PORT": "1235",
        "PAGE_HOSTS": "fleet.example",
        "PAGE_CHAT": "true",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "debug",
    }
    assert {name.lower() for name in given} == set(Settings.model_fields)
    found = read_settings({PREFIX + name: value for name, value in given.items()})
    assert all(getattr(found, name) != getattr(Settings(), name) for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "0"),
        ("WORKERS", "many"),
        ("PORT", "tcp://10.0.0.1:8080"),
        ("LOG_LEVEL", "loud"),
        ("SWEEP_INTERVAL_SECONDS", "1"),
        ("WORKER", "3"),
    ],
)
def test_a_bad_variable_is_named_with_what_was_given(name: str, value: str) -> None:
    with pytest.raises(InvalidSpec) as problem:
        read_settings({PREFIX + name: value, "QWEN_OPERATOR_LOG_FORMAT": "text"})
    assert f"{PREFIX}{name}=" in str(problem.value)
    assert value in str(problem.value)
    assert "LOG_FORMAT" not in str(problem.value)


def test_the_backends_source_is_found_without_importing_it() -> None:
    found = backend()
    names = {path.rsplit("/", 1)[1] for path in found.paths.values()}
    assert names == {each.name for each in DATA_PLANE.glob("*.py")}
    assert found.data["model.py"] == (DATA_PLANE / "model.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(("wrong", "status"), [(None, 200), ("the watches have ended", 503)])
async def test_health_says_what_is_wrong(wrong: str | None, status: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    checks = (lambda: wrong, lambda: None)
    async with serve(port, Meters(), checks), aiohttp.ClientSession() as client:
        async with client.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert (answer.status, await answer.text()) == (status, f"{wrong or 'ok'}\n")
        async with client.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert answer.status == 200
        async with client.get(f"http://127.0.0.1:{port}/metrics") as answer:
            page = await answer.text()
    assert "qwen_operator_build_info" in page
    assert "qwen_operator_queue_depth" in page
    await asyncio.sleep(0)


async def test_a_port_that_is_taken_is_said_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))  # noqa: S104 - the operator binds all addresses
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port}.*QWEN_OPERATOR_PORT"):
            async with serve(port, Meters(), (lambda: None, lambda: None)):
                pass
