"""Asking a served model by Triton's ModelStreamInfer, over a forwarded port.

gRPC and not HTTP, for what happens when nobody wants the answer any more: a call that is cancelled
ends in the engine at once, also one that still waits in the queue; of a reader of generate_stream
who left Triton only learns when it next has something to write.
"""

import importlib
from collections.abc import Generator
from typing import Any

from qwen_operator import naming
from qwen_operator.errors import InvalidSpec
from qwenctl.errors import ModelError, NoCluster
from qwenctl.online.connection import Cluster
from qwenctl.online.forwarding import listening
from qwenctl.online.members import ready_pods

Json = dict[str, Any]
Inputs = dict[str, str | bool]
"""Name of one of the model's inputs → what it is given."""


class BrokenOff(ConnectionError):
    """There is no way to the model's server, or no longer."""


def served_name(resource: Json) -> str:
    """What Triton calls the model."""
    return str(resource["spec"]["model"].get("servedName") or resource["metadata"]["name"])


def check_client() -> None:
    """See to it that Triton's client is there.

    Raises:
        InvalidSpec: it is not.
    """
    try:
        importlib.import_module("qwenctl.messages")
    except ImportError as problem:
        raise InvalidSpec(
            f"Triton's gRPC client is missing ({problem}): pip install '.[cli]' in the checkout"
        ) from problem


def ask(address: str, model: str, inputs: Inputs) -> Generator[tuple[str, int]]:
    """Text and tokens of each response of an answer; the channel's end cancels what is left.

    Args:
        address: host and port of a Triton.
        model: its name there.
        inputs: by their names.

    Raises:
        BrokenOff: nobody answers there, or no longer.
        ModelError: the model's server refused.
    """
    # Only here, since they take a moment that no other command should take.
    messages: Any = importlib.import_module("qwenctl.messages")
    grpc: Any = importlib.import_module("grpc")
    services: Any = importlib.import_module("tritonclient.grpc.service_pb2_grpc")
    with grpc.insecure_channel(address, options=messages.CHANNEL_OPTIONS) as channel:
        stub = services.GRPCInferenceServiceStub(channel)
        call = stub.ModelStreamInfer(iter([messages.request(model, inputs)]))
        try:
            for response in call:
                if response.error_message:
                    raise ModelError(f"the model answered: {response.error_message}")
                if (found := messages.piece(response)) is not None:
                    yield found
                if messages.is_final(response):
                    return
            raise BrokenOff("the model's server broke off")
        except grpc.RpcError as problem:
            if problem.code() is grpc.StatusCode.UNAVAILABLE:
                raise BrokenOff(f"the model's server broke off: {problem.details()}") from problem
            words = f"{problem.details()} ({problem.code().name})"
            raise ModelError(f"the model's server answered: {words}") from problem


class Door:
    """A served model, asked over a port of one of its pods that is forwarded for each question."""

    def __init__(self, cluster: Cluster, resource: Json) -> None:
        """Nothing is sent yet.

        Raises:
            InvalidSpec: Triton's client is missing.
        """
        check_client()
        self._cluster, self._resource = cluster, resource
        self._name = ""

    def _pod(self) -> Json:
        """The pod of before, which holds the conversation in its cache, if it still serves."""
        found = ready_pods(self._cluster, self._resource)
        same = (each for each in found if each["metadata"]["name"] == self._name)
        chosen = next(same, found[0])
        self._name = chosen["metadata"]["name"]
        return chosen

    def ask(self, inputs: Inputs) -> Generator[tuple[str, int]]:
        """Text and tokens of each response of an answer.

        Raises:
            NoCluster: there is no way to the pod, or it broke off.
            ModelError: the model's server refused.
        """
        with listening(self._cluster, self._pod(), naming.GRPC_PORT) as way:
            try:
                yield from ask(f"127.0.0.1:{way.port}", served_name(self._resource), inputs)
            except BrokenOff as problem:
                if way.failure is not None:
                    raise way.failure from problem
                where = f"port {naming.GRPC_PORT} of pod {self._name}"
                raise NoCluster(f"{where}: {way.refusal or problem}") from problem
