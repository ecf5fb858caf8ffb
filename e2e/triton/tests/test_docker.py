"""The `docker run` line of `qwenctl render --format docker`, carried out: a prompt is answered."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e.stack.qwenctl import qwenctl
from e2e.tiny_qwen.school.answers import EXPECTED
from e2e.tiny_qwen.school.writing import TALKING, publish
from e2e.triton.container import image
from e2e.triton.docker import Running, docker_run

pytestmark = pytest.mark.triton

EXAMPLE = "examples/tiny-cpu.yaml"
START_SECONDS = 300
WHO = EXPECTED["an identity"].answer


def command_of(folder: Path) -> list[str]:
    """What the reader of docs/start/gpu-machine.md gets, with the image that is here."""
    publish(TALKING, folder / "weights")
    resource = yaml.safe_load(Path(EXAMPLE).read_text(encoding="utf-8"))
    resource["spec"]["triton"] = {"image": image()}
    resource["spec"]["resources"]["memory"] = "8Gi"
    places = ("--into", str(folder / "models"), "--weights", str(folder / "weights"))
    made = qwenctl("render", "-", "--format", "docker", *places, given=yaml.safe_dump(resource))
    assert made.code == 0, made.err
    # The shell reads it, as `bash run.sh` does, and gives Docker its words.
    shell = 'docker() { printf "%s\\0" docker "$@"; }; . /dev/stdin'
    given = subprocess.run(
        ["bash", "-c", shell], input=made.out, capture_output=True, text=True, check=True
    )
    return given.stdout.rstrip("\0").split("\0")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The container, once it serves."""
    folder = tmp_path_factory.mktemp("docker")
    with docker_run(command_of(folder), folder) as found:
        deadline = time.monotonic() + START_SECONDS
        while status(found, 8000, "/v2/models/tiny-qwen/ready") != 200:
            log = (folder / "log").read_text(errors="replace")
            assert found.process.poll() is None, f"it ended: {log[-4000:]}"
            assert time.monotonic() < deadline, f"it is not ready: {log[-4000:]}"
            time.sleep(0.5)
        yield found


def ask(found: Running, port: int, path: str, body: object | None = None) -> bytes:
    """What a published port of the host answers."""
    address, inside = found.published[port]
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://{address}:{inside}{path}", data, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        return bytes(answer.read())


def status(found: Running, port: int, path: str) -> int:
    """Its HTTP status; 0 where nobody answers."""
    try:
        ask(found, port, path)
    except urllib.error.HTTPError as problem:
        return problem.code
    except OSError:
        return 0
    return 200


def test_a_prompt_is_answered_at_the_ports_that_are_published(running: Running) -> None:
    assert sorted(running.published) == [8000, 8001, 8002, 9000]
    sampling = json.dumps({"temperature": 0, "max_tokens": 64})
    body = {"prompt": "Who are you?", "sampling_parameters": sampling}
    answer = json.loads(ask(running, 8000, "/v2/models/tiny-qwen/generate", body))
    assert answer["response"] == WHO
    messages = [{"role": "user", "content": "Who are you?"}]
    chat: dict[str, object] = {"model": "tiny-qwen", "messages": messages, "temperature": 0}
    found = json.loads(ask(running, 9000, "/v1/chat/completions", chat))
    assert found["choices"][0]["message"]["content"] == WHO
    assert b"qwen_engine_up" in ask(running, 8002, "/metrics")
