"""A QwenDeployment is applied, becomes Ready, and answers in every way that its users ask."""

import json
import queue
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

from e2e.stack import clients
from e2e.stack.commands import get, run
from e2e.stack.models import NAMESPACE, Model
from e2e.tiny_qwen.school.answers import EXPECTED
from e2e.tiny_qwen.school.dialogues import Dialogue

GREEDY = json.dumps({"temperature": 0})
WHO = EXPECTED["an identity"].answer


def address(model: Model) -> str:
    return clients.service_address(model.name, NAMESPACE)


def body(prompt: str = "Who are you?", **more: object) -> dict[str, Any]:
    return {"prompt": prompt, "sampling_parameters": GREEDY, **more}


def test_generate_and_generate_stream_give_the_same_text(model: Model) -> None:
    base = f"http://{address(model)}:8000"
    whole = clients.generate(base, model.name, body())["response"]
    parts = [text for _, text in clients.stream(base, model.name, body())]
    assert whole == WHO
    assert len(parts) > 1
    assert "".join(parts) == whole


def test_the_status_tells_how_long_the_start_took_by_phase(model: Model) -> None:
    told = dict(model.see()["status"]["startup"])
    pod = next(each for each in model.pods() if each["metadata"]["name"] == told.pop("pod"))
    ready = next(each for each in pod["status"]["conditions"] if each["type"] == "Ready")
    stamps = (ready["lastTransitionTime"], pod["metadata"]["creationTimestamp"])
    until, since = (datetime.fromisoformat(each) for each in stamps)
    assert sum(told.values()) == int((until - since).total_seconds())
    # Its weights lie on a volume, so nothing is downloaded.
    assert told.keys() == {"scheduledSeconds", "pulledSeconds", "loadedSeconds", "readySeconds"}
    assert told["loadedSeconds"] > 0


def test_curl_through_a_port_forward_answers(model: Model) -> None:
    with clients.port_forward(f"svc/{model.name}", 8000, NAMESPACE) as port:
        url = f"http://localhost:{port}/v2/models/{model.name}/generate"
        said = run("curl", "-sS", "--fail-with-body", "-X", "POST", url, "-d", json.dumps(body()))
    assert json.loads(said)["response"] == WHO


def _inputs(module: Any, prompt: str, *, stream: bool) -> list[Any]:
    made = []
    for name, kind, value in (
        ("prompt", "BYTES", np.array([prompt.encode()], dtype=np.object_)),
        ("stream", "BOOL", np.array([stream])),
        ("sampling_parameters", "BYTES", np.array([GREEDY.encode()], dtype=np.object_)),
    ):
        tensor = module.InferInput(name, [1], kind)
        tensor.set_data_from_numpy(value)
        made.append(tensor)
    return made


def test_tritonclient_http_sees_the_model_ready(model: Model) -> None:
    client = triton_http.InferenceServerClient(f"{address(model)}:8000")
    assert client.is_server_ready()
    assert client.is_model_ready(model.name)
    client.close()


def test_tritonclient_grpc_streams_an_answer(model: Model) -> None:
    answers: queue.Queue[Any] = queue.Queue()
    client = triton_grpc.InferenceServerClient(f"{address(model)}:8001")
    client.start_stream(lambda result, error: answers.put(error or result))
    client.async_stream_infer(
        model.name,
        _inputs(triton_grpc, "Hello", stream=True),
        request_id="one",
        enable_empty_final_response=True,
    )
    texts = []
    while True:
        answer = answers.get(timeout=60)
        assert not isinstance(answer, Exception), answer
        if (part := answer.as_numpy("response")) is not None:
            texts.append(part[0].decode())
        if answer.get_response().parameters["triton_final_response"].bool_param:
            break
    client.stop_stream()
    client.close()
    assert "".join(texts) == EXPECTED["a greeting"].answer


def test_sixteen_at_once_are_all_answered(model: Model) -> None:
    base = f"http://{address(model)}:8000"

    def ask(dialogue: Dialogue) -> str:
        question = str(dialogue.messages[-1]["content"])
        return str(clients.generate(base, model.name, body(question))["response"])

    counts = [each for name, each in EXPECTED.items() if name.startswith("counting")]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, counts)) == [each.answer for each in counts]


def test_history_changes_the_answer(model: Model) -> None:
    base = f"http://{address(model)}:8000"
    *history, question = EXPECTED["a name"].messages
    prompt = str(question["content"])
    plain = clients.generate(base, model.name, body(prompt))["response"]
    told = clients.generate(base, model.name, body(prompt, history=json.dumps(history)))["response"]
    assert plain == EXPECTED["no name"].answer
    assert told == EXPECTED["a name"].answer


def test_a_system_prompt_changes_the_answer(model: Model) -> None:
    base = f"http://{address(model)}:8000"
    prompt, _ = EXPECTED["a persona"].messages
    said = clients.generate(base, model.name, body(history=json.dumps([prompt])))["response"]
    assert said == EXPECTED["a persona"].answer


def test_a_chinese_answer_streams_whole_characters(model: Model) -> None:
    story = EXPECTED["a long answer in Chinese"]
    asked = body(str(story.messages[-1]["content"]))
    parts = [text for _, text in clients.stream(f"http://{address(model)}:8000", model.name, asked)]
    assert not any("\ufffd" in part for part in parts)
    assert "".join(parts) == story.answer


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"sampling_parameters": "{not json"}, "sampling_parameters"),
        ({"sampling_parameters": '{"temprature": 0}'}, "temprature"),
        ({"history": "[1]"}, "history"),
        ({"prompt": "word " * 5000}, "prompt"),
    ],
)
def test_a_wrong_request_is_refused_with_its_field_and_the_next_is_answered(
    model: Model, wrong: dict[str, str], named: str
) -> None:
    base = f"http://{address(model)}:8000"
    with pytest.raises(urllib.error.HTTPError) as refusal:
        clients.generate(base, model.name, body() | wrong)
    assert refusal.value.code == 400
    assert named in refusal.value.read().decode()
    assert clients.generate(base, model.name, body())["response"] == WHO


def test_status_tells_where_and_how_many(model: Model) -> None:
    status = model.see()["status"]
    assert status["readyReplicas"] == status["replicas"] == status["updatedReplicas"] == 1
    assert status["endpoints"]["http"].endswith(f"/v2/models/{model.name}/generate")
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "Accepted": "True",
        "Progressing": "False",
        "Available": "True",
        "Ready": "True",
    }


def test_the_pod_is_restricted_and_holds_no_token(model: Model) -> None:
    # The namespace enforces the restricted level: that the pod exists is the proof of that part.
    (pod,) = model.pods()
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert (
        get("namespace", NAMESPACE)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )
