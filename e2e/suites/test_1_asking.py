"""`helm test` sends a real prompt, from a pod without any right of its own."""

from e2e.stack.commands import run
from e2e.stack.installation import NAMESPACE as OPERATOR_NAMESPACE
from e2e.stack.installation import RELEASE
from e2e.stack.models import NAMESPACE, Model
from e2e.tiny_qwen.school.answers import EXPECTED


def test_helm_test_shows_the_model_s_own_answer(model: Model) -> None:
    said = run("helm", "test", RELEASE, "-n", OPERATOR_NAMESPACE, "--logs", timeout=180)
    assert "Phase:          Succeeded" in said
    assert f"{NAMESPACE}/{model.name} answers 'Who are you?': " in said
    assert EXPECTED["an identity"].answer[:20] in said
