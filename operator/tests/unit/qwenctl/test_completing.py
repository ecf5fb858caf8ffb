"""What the shell offers while a person types."""

import os
import subprocess
import sys

import pytest

from tests.unit.qwenctl.api import Api
from tests.unit.qwenctl.calling import COMMAND, ENVIRONMENT


def offered(*words: str) -> list[str]:
    """What bash would be given for a line whose last word is being typed."""
    done = subprocess.run(
        COMMAND,
        env={
            **ENVIRONMENT,
            "KUBECONFIG": os.environ.get("KUBECONFIG", "/nowhere"),
            "_QWENCTL_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(("qwenctl", *words)),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (("st",), {"status"}),
        (("fit", "Qwen/Qwen3-8"), {"Qwen/Qwen3-8B", "Qwen/Qwen3-8B-FP8", "Qwen/Qwen3-8B-AWQ"}),
        (("fit", "x", "--gpu", "A100"), {"A100-40GB", "A100-80GB"}),
        (("init", "Qwen/Qwen1.5-1"), {"Qwen/Qwen1.5-1.8B", "Qwen/Qwen1.5-1.8B-Chat-AWQ"}),
        (("explain", "KVC"), {"KVCacheTooSmall"}),
        (("explain", "spec.engine.maxN"), {"spec.engine.maxNumSeqs"}),
        (("compat", "26.0"), {"26.08", "26.01"}),
        (("compat", "26.08", "-a", "max_num_b"), {"max_num_batched_tokens"}),
        (("bench", "x", "--door", "g"), {"grpc"}),
        (("fit", "x", "-o", "j"), {"json"}),
    ],
)
def test_what_the_tables_know_is_offered(words: tuple[str, ...], some: set[str]) -> None:
    assert some <= set(offered(*words))


def test_models_and_contexts_come_from_the_cluster(api: Api) -> None:
    assert offered("status", "q") == ["qwen"]
    assert offered("bench", "") == ["qwen"]
    assert offered("status", "x") == []
    assert offered("status", "qwen", "--context", "") == ["here", "nowhere"]
    # In the namespace and context that the line names so far.
    assert offered("status", "--namespace", "others", "q") == []
    asked = [path for _, path, _, _ in api.asked]
    assert asked[-2].endswith("/namespaces/others/qwendeployments")


@pytest.mark.usefixtures("api")
def test_a_cluster_that_does_not_answer_offers_nothing() -> None:
    assert offered("status", "--context", "nowhere", "q") == []


def test_kubectl_is_given_what_it_wants_of_a_plugin() -> None:
    program = "import sys; from qwenctl.completing import for_kubectl; for_kubectl()"
    done = subprocess.run(
        [sys.executable, "-c", program, "explain", "KVC"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "KVCacheTooSmall\n:4\n"
