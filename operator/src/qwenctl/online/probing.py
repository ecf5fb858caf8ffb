"""One answer before a load test: whether they are as long as the figures will count."""

import http.client
import json

from qwen_operator.errors import InvalidSpec
from qwenctl.bench.load import Protocol, Target
from qwenctl.bench.prompts import prompt
from qwenctl.errors import ModelError
from qwenctl.online.asking import BrokenOff, Inputs, ask

_HEADERS = {"Content-Type": "application/json", "Accept": "text/event-stream"}


def check_length(target: Target, tokens: int) -> None:
    """Ask once, by the door that the load will take.

    Raises:
        BrokenOff: there is no way there.
        InvalidSpec: the model stops before so many tokens.
        ModelError: it refuses.
    """
    sampling = {"max_tokens": tokens, "ignore_eos": True, "temperature": 1.0}
    inputs: Inputs = {
        "text_input": prompt(0, 0, 0),
        "stream": True,
        "return_num_output_tokens": True,
        "sampling_parameters": json.dumps(sampling),
    }
    if target.protocol is Protocol.GRPC:
        address = f"{target.host}:{target.ports[0]}"
        came = sum(count for _, count in ask(address, target.model, inputs))
    else:
        came = _asked_by_http(target, inputs)
    if came != tokens:
        raise InvalidSpec(
            f"--tokens {tokens}: the model stopped after {came}, where prompt and answer are as"
            " long as spec.engine.maxModelLen allows; ask for fewer"
        )


def _asked_by_http(target: Target, inputs: Inputs) -> int:
    """Tokens of an answer of generate_stream."""
    asking = http.client.HTTPConnection(target.host, target.ports[0])
    try:
        path = f"/v2/models/{target.model}/generate_stream"
        asking.request("POST", path, json.dumps(inputs), _HEADERS)
        answer = asking.getresponse()
        events = answer.read().decode("utf-8", "replace").splitlines()
    except (http.client.HTTPException, OSError) as problem:
        raise BrokenOff(f"the model's server broke off: {problem}") from problem
    finally:
        asking.close()
    if answer.status != http.client.OK:
        said = _refusal(" ".join(events))
        raise ModelError(f"the model answered {answer.status}: {said}")
    return sum(_tokens(line) for line in events if line.startswith("data:"))


def _tokens(event: str) -> int:
    found = json.loads(event.removeprefix("data:"))
    if "error" in found:
        raise ModelError(f"the model answered with an error: {found['error']}")
    return int(found["num_output_tokens"])


def _refusal(text: str) -> str:
    # generate_stream sends its refusals as an event, generate as they are.
    try:
        return str(json.loads(text.strip().removeprefix("data:"))["error"])
    except (ValueError, LookupError, TypeError):
        return text[:500]
