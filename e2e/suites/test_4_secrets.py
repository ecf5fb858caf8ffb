"""A hub token and the OpenAI endpoint's key are used, and stand nowhere but in their Secrets."""

import http
import json
import urllib.error
import urllib.request
from functools import partial

import pytest

from e2e.stack import clients
from e2e.stack.commands import get, kubectl
from e2e.stack.models import NAMESPACE, Model, Timeout, eventually
from e2e.suites.secrets import VALUES, everywhere, forms


def chat(model: Model, key: str) -> str:
    base = f"http://{clients.service_address(model.name, NAMESPACE)}:9000"
    body = {"model": model.name, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    request = urllib.request.Request(  # noqa: S310 - an http URL of our own cluster
        f"{base}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        found = json.load(answer)
    return str(found["choices"][0]["message"]["content"])


def answered(model: Model, key: str) -> str | None:
    """An answer, or None while the door says that it takes no request just now."""
    try:
        return chat(model, key)
    except urllib.error.HTTPError as refusal:
        with refusal:
            if refusal.code != http.HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            refusal.read()
        return None


def test_the_key_opens_the_door_and_another_does_not(model: Model) -> None:
    # As long as a start may take: a starved node restarts containers that are well.
    try:
        eventually("the door answers", partial(answered, model, VALUES["door"]), 240)
    except Timeout:
        print([each["status"] for each in model.pods()])
        (pod,) = (each["metadata"]["name"] for each in model.pods())
        print(kubectl("-n", NAMESPACE, "logs", pod, "--tail", "100"))
        raise
    with pytest.raises(urllib.error.HTTPError) as refusal:
        chat(model, "another")
    with refusal.value as answer:
        assert answer.code == 401


def test_neither_secret_is_anywhere_where_others_read(model: Model, gated: Model) -> None:
    # There is no way to the hub from here: it fails, and says so in every place that it has.
    eventually("the failure is told", lambda: gated.see().get("status", {}).get("failure"), 180)
    places = list(everywhere(NAMESPACE))
    named = {what.partition(" ")[0] for what, _ in places}
    assert {"ConfigMap", "Event", "Pod", "QwenDeployment", "log", "metrics"} <= named
    assert any(gated.name in what for what, _ in places)
    for name, value in VALUES.items():
        found = [what for what, text in places if any(form in text for form in forms(value))]
        assert found == [], f"{name} stands in {found}"
    kubectl("-n", NAMESPACE, "delete", "qwen", gated.name)
    assert model.ready()["status"] == "True"


def test_the_search_would_find_them_where_they_are() -> None:
    for name in VALUES:
        text = json.dumps(get("secret", name, "-n", NAMESPACE))
        assert any(form in text for form in forms(VALUES[name]))
