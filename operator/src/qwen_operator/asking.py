"""`python -m qwen_operator.asking`: what the chart's test pod does, from inside the cluster.

It holds no token: which models there are it reads off the operators' own /metrics, then it sends
each a prompt through its Service, as any client would.
"""

import argparse
import http.client
import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from qwen_operator import naming

_POLL_SECONDS = 1.0
_PAGE_SECONDS = 5.0
_SAMPLING = json.dumps({"temperature": 0, "max_tokens": 32})
_LEADER = "qwen_operator_leader"
_READY = "qwen_operator_resource_ready"
_BROKEN = (OSError, http.client.HTTPException, ValueError, LookupError)


class Failure(Exception):
    """The installation does not work; the text says what was asked and what came."""


@dataclass(frozen=True, slots=True)
class Model:
    """A QwenDeployment as the operator's metrics tell of it.

    Attributes:
        resource: namespace/name.
        served: its name in Triton.
        ready: whether its Ready condition is True.
    """

    resource: str
    served: str
    ready: bool

    @property
    def address(self) -> str:
        """Its Service's HTTP address."""
        namespace, _, name = self.resource.partition("/")
        return f"http://{naming.child_name(name)}.{namespace}.svc:{naming.HTTP_PORT}"


def _read(request: str | urllib.request.Request, seconds: float) -> bytes:
    with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310 - http, of our own making
        found: bytes = answer.read()
        return found


def _pages(operator: str) -> list[str]:
    """/metrics of every operator behind a headless Service, given as host:port."""
    host, _, port = operator.rpartition(":")
    found = []
    for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        at = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
        found.append(_read(f"http://{at}:{port}/metrics", _PAGE_SECONDS).decode())
    return found


def _models(pages: Sequence[str]) -> dict[str, Model] | None:
    """The models of the operator that leads, or None while none does."""
    for page in pages:
        samples = [
            each for family in text_string_to_metric_families(page) for each in family.samples
        ]
        if any(each.name == _LEADER and each.value == 1 for each in samples):
            made = (
                Model(
                    f"{each.labels['namespace']}/{each.labels['name']}",
                    each.labels["model"],
                    each.value == 1,
                )
                for each in samples
                if each.name == _READY
            )
            return {each.resource: each for each in made}
    return None


def chosen(pages: Sequence[str], wanted: Sequence[str]) -> list[Model]:
    """The models to ask: those that are wanted, or else all that are Ready.

    Raises:
        Failure: no operator leads, or a wanted model is not there or not Ready.
    """
    found = _models(pages)
    if found is None:
        raise Failure(f"none of {len(pages)} operators leads")
    if not wanted:
        return [each for each in found.values() if each.ready]
    for name in wanted:
        if name not in found:
            raise Failure(f"the operator knows no QwenDeployment {name}")
        if not found[name].ready:
            raise Failure(f"{name} is not Ready; kubectl describe qwen says why")
    return [found[name] for name in wanted]


def answer(model: Model, address: str, prompt: str, seconds: float) -> str:
    """What a model says to a prompt.

    Raises:
        Failure: it gave no answer, or an empty one.
    """
    url = f"{address}/v2/models/{model.served}/generate"
    body = json.dumps({"prompt": prompt, "sampling_parameters": _SAMPLING}).encode()
    try:
        said = json.loads(_read(urllib.request.Request(url, data=body), seconds))["response"]  # noqa: S310 - as above
    except _BROKEN as problem:
        words = problem.read().decode() if isinstance(problem, urllib.error.HTTPError) else problem
        raise Failure(f"{model.resource}: POST {url}: {words}") from problem
    if not said:
        raise Failure(f"{model.resource}: POST {url}: an empty answer")
    return str(said)


def _until(look: Callable[[], list[Model]], seconds: float) -> list[Model]:
    """Look again until it works: right after an installation nobody leads yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return look()
        except (Failure, *_BROKEN) as problem:
            if time.monotonic() > deadline:
                raise Failure(str(problem)) from problem
        time.sleep(_POLL_SECONDS)


def main(
    arguments: Sequence[str] | None = None, address: Callable[[Model], str] = lambda m: m.address
) -> int:
    """Ask; the exit status is 0 when every model that was asked has answered."""
    parser = argparse.ArgumentParser(prog="python -m qwen_operator.asking", description=__doc__)
    parser.add_argument(
        "models", nargs="*", metavar="NAMESPACE/NAME", help="all Ready ones if none"
    )
    parser.add_argument("--operator", required=True, help="host:port of the operators' /metrics")
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--timeout", type=float, required=True, help="seconds for each answer")
    given = parser.parse_args(arguments)
    try:
        models = _until(lambda: chosen(_pages(given.operator), given.models), given.timeout)
        for model in models:
            said = answer(model, address(model), given.prompt, given.timeout)
            sys.stdout.write(f"{model.resource} answers {given.prompt!r}: {said!r}\n")
    except Failure as failure:
        sys.stdout.write(f"FAILED: {failure}\n")
        return 1
    if not models:
        sys.stdout.write(
            "The operator works. No QwenDeployment is Ready, so no model was asked; name one in"
            " test.models to make its answer a condition.\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
