"""`qwenctl` as its users run it: a process, and a person at a terminal."""

import json
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from e2e.stack.commands import ROOT, module

_WAIT_SECONDS = 60
_INTERRUPTED = 130


def environment(**more: str) -> dict[str, str]:
    """This process' own, with the package on its path."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "operator" / "src"), **more}


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a call."""

    code: int
    out: str
    err: str


def qwenctl(*arguments: str, given: str | None = None, timeout: float = 120) -> Done:
    """Run it to its end."""
    done = subprocess.run(
        module("qwenctl", *arguments),
        input=given,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


class Terminal:
    """A person at a terminal of their own.

    Attributes:
        seen: what was shown and not looked for yet.
    """

    def __init__(self, *arguments: str) -> None:
        """Call it."""
        self._main, side = pty.openpty()
        self.before = termios.tcgetattr(side)
        self._side = side
        self.process = subprocess.Popen(
            module("qwenctl", *arguments),
            stdin=side,
            stdout=side,
            stderr=side,
            cwd=ROOT,
            start_new_session=True,
            env=environment(TERM="xterm", COLUMNS="120", LINES="40"),
        )
        self.seen = ""

    def wait_for(self, words: str) -> None:
        """Look until these words are shown; what follows them stays to be looked at."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while words not in self.seen:
            if time.monotonic() > deadline:
                raise AssertionError(f"{words!r} is not in {self.seen!r}")
            if select.select([self._main], [], [], 0.2)[0]:
                self.seen += os.read(self._main, 65536).decode("utf-8", "replace")
        self.seen = self.seen.split(words, 1)[1]

    def type(self, text: str) -> None:
        """Type."""
        os.write(self._main, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C, which reaches the program and whatever it has started."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self) -> int:
        """Wait for the end; its exit code."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"it goes on: {self.seen!r}")
            if select.select([self._main], [], [], 0.1)[0]:
                self.seen += os.read(self._main, 65536).decode("utf-8", "replace")
        return self.process.returncode

    @property
    def is_restored(self) -> bool:
        """The terminal's settings are those of before."""
        return termios.tcgetattr(self._side) == self.before

    def close(self) -> None:
        """Leave the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._side)
        os.close(self._main)


class Follower:
    """`qwenctl status NAME --watch`, from now until it is ended."""

    def __init__(self, name: str, namespace: str, path: Path) -> None:
        """Begin; what it shows goes into a file."""
        self._path = path
        with path.open("wb") as out:
            self._process = subprocess.Popen(
                module("qwenctl", "status", name, "-n", namespace, "--watch", "-o", "json"),
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment(),
            )

    def end(self) -> list[dict[str, Any]]:
        """Wait until it has seen the model Ready, press Ctrl-C, and return everything it showed.

        Raises:
            AssertionError: it ended by itself, or with another exit code.
        """
        deadline = time.monotonic() + _WAIT_SECONDS
        while '"ready": true' not in self._path.read_text(encoding="utf-8"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self._path.read_text(encoding="utf-8")[-2000:])
            time.sleep(0.2)
        self._process.send_signal(signal.SIGINT)
        if (code := self._process.wait(_WAIT_SECONDS)) != _INTERRUPTED:
            raise AssertionError(f"Ctrl-C ended it with {code}")
        text = self._path.read_text(encoding="utf-8")
        return list(_documents(text))

    def close(self) -> None:
        """See to it that nothing goes on."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _documents(text: str) -> Iterator[Any]:
    """Each JSON document of a text that holds several."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        found, end = decoder.raw_decode(text, at)
        yield found
        at = end + 1


def heed_ctrl_c() -> None:
    """Whoever runs tests in the background ignores SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def guest_kubeconfig(path: Path, token: str) -> Path:
    """The present kubeconfig with one more context, `guest`, of somebody with this token."""
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text(encoding="utf-8"))
    context = {**config["contexts"][0]["context"], "user": "guest"}
    config["users"].append({"name": "guest", "user": {"token": token}})
    config["contexts"].append({"name": "guest", "context": context})
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path
