"""The only module that speaks to Triton's Python backend: tensors in, responses out, gauges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import triton_python_backend_utils as pb_utils

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwen_triton.refusals import Refusal
    from qwen_triton.responses import Array

SendFailed: type[Exception] = pb_utils.TritonModelException


class RequestTensors:
    """The inputs of a Triton request."""

    def __init__(self, request: Any) -> None:  # noqa: ANN401  Triton publishes no types
        self._request = request

    def first(self, name: str) -> object | None:
        """The first element of a tensor, or None when the request has no such tensor."""
        tensor = pb_utils.get_input_tensor_by_name(self._request, name)
        if tensor is None:
            return None
        elements = tensor.as_numpy().reshape(-1)
        return None if elements.size == 0 else elements[0]

    def parameters(self) -> str:
        """The request's own parameters as JSON."""
        return str(self._request.parameters())

    def request_id(self) -> str:
        """The client's own id of the request; empty when it gave none."""
        return str(self._request.request_id() or "")


class ResponseSender:
    """Where the answers to one request go. Every call is a round trip to the server process."""

    def __init__(self, request: Any) -> None:  # noqa: ANN401  Triton publishes no types
        self._sender = request.get_response_sender()
        self.requested = frozenset(request.requested_output_names())

    def send(self, arrays: Mapping[str, Array], *, final: bool) -> None:
        """Send one response.

        Raises:
            SendFailed: when the server no longer takes it.
        """
        tensors = [pb_utils.Tensor(name, array) for name, array in arrays.items()]
        flags = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL if final else 0
        self._sender.send(pb_utils.InferenceResponse(output_tensors=tensors), flags=flags)

    def refuse(self, refusal: Refusal) -> None:
        """Send an error as the last response.

        Raises:
            SendFailed: when the server no longer takes it.
        """
        error = pb_utils.TritonError(refusal.words, getattr(pb_utils.TritonError, refusal.code))
        self._sender.send(
            pb_utils.InferenceResponse(output_tensors=[], error=error),
            flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL,
        )

    def is_cancelled(self) -> bool:
        """Whether the client has gone away."""
        return bool(self._sender.is_cancelled())


class Series:
    """Gauges and counters on :8002 with the model's labels on each."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = dict(labels)
        self._families: dict[str, Any] = {}
        self._series: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = {}
        self._values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def gauge(self, name: str, meaning: str, value: float, **labels: str) -> None:
        """Set a gauge; an unchanged value costs no round trip."""
        self._update(name, meaning, value, pb_utils.MetricFamily.GAUGE, labels)

    def counter(self, name: str, meaning: str, value: float, **labels: str) -> None:
        """Bring a counter up to `value`."""
        self._update(name, meaning, value, pb_utils.MetricFamily.COUNTER, labels)

    def _update(
        self, name: str, meaning: str, value: float, kind: int, labels: Mapping[str, str]
    ) -> None:
        key = (name, tuple(sorted(labels.items())))
        before = self._values.get(key)
        if before == value:
            return
        if key not in self._series:
            if name not in self._families:
                self._families[name] = pb_utils.MetricFamily(
                    name=name, description=meaning, kind=kind
                )
            self._series[key] = self._families[name].Metric(labels=self._labels | dict(labels))
        if kind == pb_utils.MetricFamily.GAUGE:
            self._series[key].set(value)
        elif value > (before or 0.0):
            self._series[key].increment(value - (before or 0.0))
        self._values[key] = value


def log_verbose(line: str) -> None:
    """One line in the log of a Triton that is told to be verbose."""
    pb_utils.Logger.log_verbose(line)


def log_error(line: str) -> None:
    """One line in Triton's log that says what went wrong."""
    pb_utils.Logger.log_error(line)
