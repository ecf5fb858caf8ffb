"""Running the tools that a user has: kubectl, helm, and this repository's own commands."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_TAIL = 25


class CommandError(Exception):
    """A command failed; the text is what it said."""


def run(*arguments: str, given: str | None = None, timeout: float = 120) -> str:
    """Run a command from the repository root and return its standard output.

    Raises:
        CommandError: it ended with another status than 0, or not in time.
    """
    try:
        done = subprocess.run(
            arguments,
            input=given,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=timeout,
            check=False,
        )
    except (subprocess.TimeoutExpired, FileNotFoundError) as problem:
        raise CommandError(f"{' '.join(arguments[:6])}: {problem}") from problem
    if done.returncode:
        tail = "\n".join((done.stderr + done.stdout).strip().splitlines()[-_TAIL:])
        raise CommandError(f"{' '.join(arguments[:6])} ended with {done.returncode}:\n{tail}")
    return done.stdout


def shown(*arguments: str, timeout: float = 3600) -> str:
    """Run a command whose progress (standard error) a person should see; return its output."""
    done = subprocess.run(
        arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT, timeout=timeout, check=False
    )
    if done.returncode:
        raise CommandError(f"{' '.join(arguments)} ended with {done.returncode}; it said why above")
    return done.stdout


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """The command line of one of this repository's own commands."""
    return (sys.executable, "-m", name, *arguments)


def use_cluster() -> None:
    """Point kubectl and helm at the embedded cluster, for this process and its children."""
    for line in run(*module("e2e.cluster", "env")).splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        os.environ[name] = value.strip("\"'").replace("$PATH", os.environ["PATH"])


def kubectl(*arguments: str, given: str | None = None, timeout: float = 60) -> str:
    """Run kubectl."""
    return run("kubectl", *arguments, given=given, timeout=timeout)


def get(*arguments: str) -> Any:  # noqa: ANN401 - whatever kubectl prints as JSON
    """`kubectl get … -o json`."""
    return json.loads(kubectl("get", *arguments, "-o", "json"))


def apply(*documents: dict[str, Any], namespace: str = "default") -> str:
    """`kubectl apply` of documents made here."""
    text = "\n---\n".join(json.dumps(each) for each in documents)
    return kubectl("apply", "-n", namespace, "-f", "-", given=text)
