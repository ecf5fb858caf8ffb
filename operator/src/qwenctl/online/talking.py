"""`qwenctl chat`: a conversation with a served model, through the API server."""

import importlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from qwen_operator.errors import InvalidSpec, OperatorError
from qwenctl.exits import Exit
from qwenctl.online.asking import Door, Inputs
from qwenctl.online.connection import Cluster
from qwenctl.online.kubeconfig import Target
from qwenctl.online.options import Context, Kubeconfig, Name, Namespace
from qwenctl.online.view import condition, is_ready
from qwenctl.output import Format, Output, complain, document, write

Json = dict[str, Any]

HELP = """\
/system TEXT   another system prompt, from the next message on
/clear         forget the conversation
/exit          leave, as Ctrl-D does
Ctrl-C         stop the answer that is being written
"""


@dataclass
class Conversation:
    """What was said so far, and how to ask.

    Attributes:
        system: the system prompt; None for the resource's own.
        messages: of user and assistant in turn.
        sampling: vLLM's sampling parameters.
    """

    system: str | None = None
    messages: list[Json] = field(default_factory=list)
    sampling: Json = field(default_factory=dict)

    def request(self, prompt: str) -> Inputs:
        """The model's inputs for one more message of the user."""
        begun = [] if self.system is None else [{"role": "system", "content": self.system}]
        history = [*begun, *self.messages]
        return {
            "prompt": prompt,
            "stream": True,
            "return_num_output_tokens": True,
            "sampling_parameters": json.dumps(self.sampling),
            **({"history": json.dumps(history)} if history else {}),
        }

    def remember(self, prompt: str, answer: str) -> None:
        """Keep one exchange; of an answer that was stopped, what was written."""
        self.messages += [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": answer},
        ]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question brought.

    Attributes:
        text: of the answer.
        tokens: that it was made of.
        seconds: from the question to its end.
        first: seconds to its first piece; None where none came.
        whole: it was written to its end, and not stopped by Ctrl-C.
    """

    text: str
    tokens: int
    seconds: float
    first: float | None
    whole: bool

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / max(self.seconds, 1e-6)

    def value(self) -> Json:
        """For a program."""
        return {
            "answer": self.text,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
            "firstTokenSeconds": None if self.first is None else round(self.first, 3),
            "tokensPerSecond": round(self.rate, 1),
        }


def _told(found: Answer) -> str:
    waited = "" if found.first is None else f", the first after {found.first:.2f} s"
    times = f"{found.seconds:.1f} s, {found.rate:.1f} tokens/s{waited}"
    return f"({found.tokens} tokens in {times})"


def ask(door: Door, talk: Conversation, prompt: str, *, quiet: bool = False) -> Answer:
    """Ask once, and write the answer as it comes unless quiet."""
    said: list[str] = []
    tokens, whole = 0, True
    started, first = time.monotonic(), None
    try:
        with closing(door.ask(talk.request(prompt))) as answer:
            for piece, count in answer:
                first = first or time.monotonic()
                tokens += count
                said.append(piece)
                write("" if quiet else piece)
    except KeyboardInterrupt:
        whole = False
    now = time.monotonic()
    text = "".join(said)
    talk.remember(prompt, text)
    waited = None if first is None else first - started
    found = Answer(text, tokens, now - started, waited, whole)
    if not quiet:
        write("\n")
    if not whole:
        complain("(stopped)")
    if not quiet and sys.stderr.isatty():
        complain(_told(found))
    return found


def _command(talk: Conversation, line: str) -> bool:
    """Do what a line that begins with / asks for; False for leaving."""
    word, _, rest = line.partition(" ")
    match word:
        case "/exit" | "/quit":
            return False
        case "/clear":
            talk.messages.clear()
            complain("(forgotten)")
        case "/system" if rest.strip():
            talk.system = rest.strip()
            complain("(taken)")
        case _:
            complain(HELP.rstrip())
    return True


def _lines() -> Iterator[str]:
    """What a person types, until Ctrl-D; Ctrl-C only drops the line."""
    # Its mere presence makes input's line editable, with earlier lines behind the arrow keys.
    with suppress(ImportError):
        importlib.import_module("readline")
    while True:
        try:
            yield input("> ")
        except KeyboardInterrupt:
            complain("\n(Ctrl-D or /exit leaves)")
        except EOFError:
            complain("")
            return


def converse(door: Door, talk: Conversation) -> None:
    """Go on until the person leaves; a failed answer ends nothing."""
    complain("Ctrl-C stops an answer, Ctrl-D leaves, /help lists what else there is.")
    for line in _lines():
        if not line.strip():
            continue
        if line.startswith("/"):
            if not _command(talk, line):
                return
            continue
        try:
            ask(door, talk, line)
        except OperatorError as problem:
            complain(f"error: {problem}")


def chat(
    name: Name,
    *,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Ask only this, and leave.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="System prompt; the resource's own when left out.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer in tokens.")] = 512,
    temperature: Annotated[
        float | None, typer.Option(min=0, max=2, help="The model's own when left out.")
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Namespace = None,
    output: Output = Format.table,
) -> None:
    """Talk to a model that is served.

    It asks by Triton's gRPC: an answer that Ctrl-C stops is cancelled in the engine, too. A port of
    a pod is forwarded meanwhile, as `kubectl port-forward` does, which needs the permission to get
    and create pods/portforward. Without a terminal, standard input is one message.
    """
    cluster = Cluster(Target(kubeconfig, context, namespace))
    resource = cluster.resource(name)
    if not is_ready(resource):
        ready = condition(resource, "Ready")
        words = f"{ready.get('reason', 'Pending')}: {ready.get('message', '')}"
        complain(f"{name} is not Ready: {words}")
        raise typer.Exit(Exit.NO)
    sampling: Json = {"max_tokens": max_tokens}
    if temperature is not None:
        sampling["temperature"] = temperature
    talk = Conversation(system, sampling=sampling)
    door = Door(cluster, resource)
    if message is None and sys.stdin.isatty():
        if output is not Format.table:
            raise InvalidSpec(f"-o {output.value} goes with --message, or with standard input")
        converse(door, talk)
        return
    prompt = sys.stdin.read().strip() if message is None else message
    if not prompt.strip():
        raise InvalidSpec("the message is empty")
    found = ask(door, talk, prompt, quiet=output is not Format.table)
    if output is not Format.table:
        write(document(found.value(), output))
    if not found.whole:
        raise typer.Exit(Exit.INTERRUPTED)
