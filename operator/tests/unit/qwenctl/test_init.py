"""`qwenctl init`: what it writes is valid, and so is every suggestion in it."""

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from qwen_operator.fit.knowledge import read
from tests.unit.qwenctl.calling import COMMAND, ENVIRONMENT, qwenctl

ARGUMENTS = ("init", "Qwen/Qwen3-8B")


def test_what_is_written_has_no_finding() -> None:
    done = qwenctl(*ARGUMENTS)
    assert done.code == 0
    assert qwenctl("lint", "-", stdin=done.out).code == 0
    assert yaml.safe_load(done.out)["metadata"]["name"] == "qwen3-8b"


def test_every_suggestion_in_it_is_valid_too() -> None:
    text = qwenctl(*ARGUMENTS).out
    suggestions = re.findall(r"^ *#[a-zA-Z]+:.*$", text, re.MULTILINE)
    assert len(suggestions) >= 5
    for each in suggestions:
        taken = text.replace(each, each.replace("#", "", 1))
        done = qwenctl("lint", "-", stdin=taken)
        assert done.code == 0, f"{each}: {done.out}"
        assert len(yaml.safe_load(taken)["spec"]) >= 3
    assert qwenctl("lint", "-", stdin=re.sub(r"(?m)^( *)#([a-zA-Z]+:)", r"\1\2", text)).code == 0


@pytest.mark.parametrize("model", read("models")["models"])
def test_every_known_model_gets_a_valid_name(model: str) -> None:
    done = qwenctl("init", model)
    assert done.code == 0
    assert yaml.safe_load(done.out)["spec"]["model"]["source"] == f"hf://Qwen/{model}"


@pytest.mark.parametrize(
    ("model", "source", "name"),
    [
        ("pvc://claim/models/My_Qwen", "pvc://claim/models/My_Qwen", "my-qwen"),
        ("hf://org/7B.model", "hf://org/7B.model", "qwen-7b-model"),
        (f"org/{'x' * 80}", f"hf://org/{'x' * 80}", "x" * 46),
    ],
)
def test_a_name_is_made_from_the_model(model: str, source: str, name: str) -> None:
    made = yaml.safe_load(qwenctl("init", model).out)
    assert (made["spec"]["model"]["source"], made["metadata"]["name"]) == (source, name)


def test_the_context_is_made_to_fit_the_gpu() -> None:
    done = qwenctl(*ARGUMENTS, "--gpu", "RTX 4090")
    made = yaml.safe_load(done.out)
    assert (done.code, made["spec"]["engine"]["maxModelLen"]) == (0, 34560)
    assert "The model was made for 40960; this fits RTX 4090." in done.out
    assert qwenctl("fit", "-f", "-", "--gpu", "RTX 4090", stdin=done.out).code == 0


def test_what_cannot_fit_is_written_with_a_warning_and_exit_code_1() -> None:
    done = qwenctl("init", "Qwen2.5-72B-Instruct", "--gpu", "L4")
    assert done.code == 1
    assert "warning: it does not fit L4" in done.err
    assert "this would: spec.engine.tensorParallelSize" in done.err
    assert yaml.safe_load(done.out)["kind"] == "QwenDeployment"


def test_options_are_taken_over() -> None:
    done = qwenctl(
        *(*ARGUMENTS, "--name", "mine", "--gpus", "2", "--replicas", "3"),
        *("--max-model-len", "4096"),
    )
    made = yaml.safe_load(done.out)
    assert made["metadata"]["name"] == "mine"
    assert made["spec"]["resources"]["gpus"] == made["spec"]["engine"]["tensorParallelSize"] == 2
    assert (made["spec"]["replicas"], made["spec"]["engine"]["maxModelLen"]) == (3, 4096)


def test_a_file_is_written_and_never_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    assert qwenctl(*ARGUMENTS, "--into", str(path)).code == 0
    before = path.read_text(encoding="utf-8")
    done = qwenctl("init", "Qwen3-4B", "--into", str(path))
    assert (done.code, path.read_text(encoding="utf-8")) == (2, before)
    assert "exists; --force replaces it" in done.err
    assert qwenctl("init", "Qwen3-4B", "--into", str(path), "--force").code == 0
    assert path.read_text(encoding="utf-8") != before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("init",), "MODEL is missing"),
        (("init", "a b"), "spec.model.source"),
        (("init", "Qwen3-8B", "--name", "Not_Ok"), "metadata.name"),
        (("init", "Qwen3-8B", "--gpus", "0"), "--gpus"),
        (("init", "Qwen3-8B", "--gpu", "GTX"), "'GTX' is not in the table"),
        (("init", "pvc://claim", "--gpu", "L4"), "does not tell which model"),
        (("init", "Qwen3-8B", "--into", "/nowhere/x"), "/nowhere/x: No such file"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: tuple[str, ...], said: str) -> None:
    done = qwenctl(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


def _typed(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """It, with somebody at the terminal."""
    main, side = pty.openpty()
    os.write(main, text.encode())
    done = subprocess.run(
        [*COMMAND, "init", *arguments],
        stdin=side,
        capture_output=True,
        check=False,
        text=True,
        env=ENVIRONMENT,
    )
    os.close(side)
    os.close(main)
    return done


def test_a_person_at_a_terminal_is_asked_for_model_gpu_and_replicas() -> None:
    done = _typed("Qwen/Qwen3-8B\nL4\n2\n")
    assert re.findall(r"(\w+)[^:]*: ", done.stderr) == ["Model", "GPU", "Replicas"]
    made = yaml.safe_load(done.stdout)
    assert (done.returncode, made["metadata"]["name"]) == (0, "qwen3-8b")
    assert made["spec"]["resources"]["gpuProduct"] == "L4"
    assert made["spec"]["replicas"] == 2


def test_enter_takes_what_is_usual_and_options_are_not_asked_for() -> None:
    made = yaml.safe_load(_typed("Qwen/Qwen3-8B\n\n\n").stdout)
    assert (made["spec"]["replicas"], "gpuProduct" in made["spec"]["resources"]) == (1, False)
    assert "GPU" not in _typed("Qwen/Qwen3-8B\n\n", "--gpu", "L4").stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\x04", "nobody answered"),
        ("Qwen/Qwen3-8B\n\nmany\n", "replicas: 0 to 1000 are possible, given 'many'"),
        ("Qwen/Qwen3-8B\nGTX\n\n", "'GTX' is not in the table"),
    ],
)
def test_no_answer_and_a_wrong_one_are_sentences(text: str, said: str) -> None:
    done = _typed(text)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_ctrl_c_at_a_question_is_exit_code_130() -> None:
    main, side = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "init"], stdin=side, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as running:
        assert running.stderr is not None
        assert running.stderr.read(5) == "Model"
        running.send_signal(signal.SIGINT)
        assert running.wait() == 130
        assert running.stderr.read().endswith(": \n")
    os.close(side)
    os.close(main)
