"""`python -m e2e.demo`: cluster, images, chart, a tiny model, three prompts."""

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import yaml
from rich.console import Console

from e2e.demo.following import follow
from e2e.stack import clients
from e2e.stack.commands import ROOT, CommandError, kubectl, run
from e2e.stack.installation import build_images, install_chart, load_images, start_cluster
from e2e.stack.weights import offer_weights

EXAMPLE = ROOT / "examples" / "tiny-cpu.yaml"
_READY_SECONDS = 300
_SAMPLING = json.dumps({"temperature": 0, "max_tokens": 120})

Say = Callable[[str], None]


@contextmanager
def _step(console: Console, title: str) -> Iterator[None]:
    console.rule(f"[bold]{title}", align="left")
    started = time.monotonic()
    yield
    console.print(f"  done in {time.monotonic() - started:.1f} s", style="green")


def _asked(console: Console, prompt: str) -> dict[str, str]:
    console.print(f"  {prompt!r}", highlight=False, markup=False)
    return {"prompt": prompt, "sampling_parameters": _SAMPLING}


def _ask(console: Console, name: str) -> None:
    base = f"http://{clients.service_address(name)}:8000"
    with _step(console, "POST /v2/models/tiny-qwen/generate, through the Service"):
        answer = clients.generate(base, name, _asked(console, "What is Kubernetes?"))
        console.print(f"  {answer['response']!r}", highlight=False, markup=False)
    with _step(console, "POST /v2/models/tiny-qwen/generate_stream"):
        events = list(clients.stream(base, name, _asked(console, "Tell me a story.")))
        text = "".join(part for _, part in events)
        first, last = events[0][0], events[-1][0]
        console.print(f"  {text!r}", highlight=False, markup=False)
        console.print(f"  {len(events)} events, first after {first:.2f} s, last {last:.2f} s")
    with (
        _step(console, "the recipe's curl line, through kubectl port-forward"),
        clients.port_forward(f"svc/{name}", 8000) as port,
    ):
        url = f"http://localhost:{port}/v2/models/{name}/generate"
        body = {"prompt": "Who are you?", "sampling_parameters": _SAMPLING}
        line = ("curl", "-sS", "--fail-with-body", "-X", "POST", url, "-d", json.dumps(body))
        console.print(f"  $ {shlex.join(line)}", highlight=False, markup=False)
        console.print(f"  {run(*line)}", highlight=False, markup=False)


def _next(console: Console, name: str) -> None:
    console.rule("[bold]What to type next", align="left")
    for line in (
        'eval "$(make --silent cluster-env)"   # its kubectl and helm, and qwenctl',
        f"qwenctl chat {name}",
        f"qwenctl status {name}",
        "kubectl get qwen -o wide",
        f"""kubectl patch qwen {name} --type merge -p '{{"spec":{{"replicas":0}}}}'""",
        "make cluster-down                      # stop everything",
    ):
        console.print(f"  {line}", highlight=False, markup=False)


def demo(console: Console) -> None:
    """The whole way."""
    started = time.monotonic()
    with _step(console, "Images"):
        images = build_images()
    with _step(console, "Kubernetes"):
        start_cluster()
    with _step(console, "Images into the cluster"):
        load_images(images)
    with _step(console, "helm install qwen-operator"):
        install_chart(images)
    name = yaml.safe_load(EXAMPLE.read_text())["metadata"]["name"]
    with _step(console, f"kubectl apply -f {EXAMPLE.relative_to(ROOT)}"):
        offer_weights()
        kubectl("apply", "-f", str(EXAMPLE))
        follow(console, name, _READY_SECONDS)
    _ask(console, name)
    console.print(f"\nFrom nothing to three answers in {time.monotonic() - started:.0f} s.\n")
    _next(console, name)


def main() -> int:
    """Run the demo; the exit status is not 0 if a step failed."""
    console = Console()
    try:
        demo(console)
    except CommandError as problem:
        console.print(f"\n{problem}", style="red", highlight=False, markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("\ninterrupted; `make cluster-down` stops what runs", style="red")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
