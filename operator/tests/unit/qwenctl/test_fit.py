"""`qwenctl fit` as a person calls it: answers, exit codes, and what is said of bad input."""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.qwenctl.calling import COMMAND, ENVIRONMENT, ROOT, qwenctl

SMALL = ("fit", "Qwen/Qwen1.5-1.8B-Chat", "--gpu", "T4")
LARGE = ("fit", "Qwen/Qwen2.5-72B-Instruct", "--gpu", "L4")


def test_what_fits_is_told_with_exit_code_0() -> None:
    done = qwenctl(*SMALL)
    assert done.code == 0
    assert done.out.startswith("Qwen1.5-1.8B-Chat fits T4\n")
    assert "largest maxModelLen: 32768" in done.out
    assert "\x1b" not in done.out


def test_what_does_not_fit_is_told_with_exit_code_1_and_ways_out() -> None:
    done = qwenctl(*LARGE)
    assert done.code == 1
    assert "nothing is left for the KV cache" in done.out
    assert "tensorParallelSize: 8" in done.out


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_program_gets_the_same_answer(form: str) -> None:
    done = qwenctl(*LARGE, "-o", form)
    found = json.loads(done.out) if form == "json" else yaml.safe_load(done.out)
    assert (done.code, found["fits"], found["gpus"]) == (1, False, 1)
    assert found["instead"][0]["change"].startswith("spec.")
    assert found["kvCache"]["tokens"] == 0


def test_a_file_brings_model_and_engine() -> None:
    done = qwenctl("fit", "-f", "examples/qwen1.5-1.8b-chat-gpu.yaml", "--gpu", "L4", "-o", "json")
    found = json.loads(done.out)
    assert (done.code, found["name"]) == (0, "qwen-1-8b-chat")
    assert found["bytes"]["share"] == int(found["bytes"]["gpu"] * 0.7)


def test_several_documents_give_several_answers() -> None:
    text = (ROOT / "examples" / "qwen1.5-1.8b-chat-gpu.yaml").read_text(encoding="utf-8")
    done = qwenctl("fit", "-f", "-", "--gpu", "L4", "-o", "json", stdin=f"{text}\n---\n{text}")
    assert [each["fits"] for each in json.loads(done.out)] == [True, True]


def test_a_config_describes_a_model_that_the_table_lacks(tmp_path: Path) -> None:
    config = {
        "model_type": "qwen2",
        "num_hidden_layers": 24,
        "hidden_size": 2048,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "intermediate_size": 5504,
        "vocab_size": 151936,
        "max_position_embeddings": 32768,
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    mine = json.loads(qwenctl("fit", "--config", str(tmp_path), "--gpu", "T4", "-o", "json").out)
    known = json.loads(qwenctl(*SMALL, "-o", "json").out)
    assert mine["bytes"] == known["bytes"]


def test_options_change_the_plan() -> None:
    one = json.loads(qwenctl(*SMALL, "-o", "json").out)
    other = json.loads(
        qwenctl(*SMALL, "--utilization", "0.5", "--kv-cache-dtype", "fp8", "-o", "json").out
    )
    assert other["bytes"]["share"] < one["bytes"]["share"]
    assert other["kvCache"]["bytesPerToken"] * 2 == one["kvCache"]["bytesPerToken"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fit", "Qwen/Qwn3-8B", "--gpu", "L4"), "did you mean Qwen3-8B?"),
        (("fit", "Qwen/Qwen3-8B", "--gpu", "H10"), "'H10' is not in the table; did you mean H"),
        (("fit", "--gpu", "L4"), "give a model"),
        (("fit", "x", "-f", "y", "--gpu", "L4"), "give a model"),
        (("fit", "Qwen/Qwen3-8B"), "say which GPU with --gpu"),
        (("fit", "Qwen/Qwen3-8B", "--gpu", "L4", "--tp", "0"), "--tp"),
        (("fit", "-f", "-", "--gpu", "L4", "--against", "-"), "cannot both be standard input"),
        (("fit", "Qwen/Qwen3-8B", "--gpu", "L4", "--lengths", "a"), "--lengths 'a': give numbers"),
        (("fit", "Qwen/Qwen3-8B", "--gpu", "L4", "--vllm", "abc"), "'abc' is no version of vLLM"),
        (("fit", "Qwen/Qwen3-8B", "--gpu", "0GiB"), "its memory must be above 0"),
        (("fit", "Qwen/Qwen3-8B", "--gpu", "L4", "--dtype", "x"), "--dtype 'x': one of auto"),
        (("fit", "Qwen/Qwen3-8B", "--gpu", "L4", "--kv-cache-dtype", "x"), "auto, fp8"),
        (("fit", "Qwen/Qwen3-8B", "--gpu", "L4", "--quantization", "qwa"), "'qwa' is not known"),
        (("fit", "-f", "/nowhere.yaml", "--gpu", "L4"), "/nowhere.yaml: No such file"),
        (("fit", "-f", "examples", "--gpu", "L4"), "examples: Is a directory"),
        (("fit", "-f", "README.md", "--gpu", "L4"), "README.md, line"),
        (("fit", "-f", "pyproject.toml", "--gpu", "L4"), "pyproject.toml"),
        (("fit", "--config", "README.md", "--gpu", "L4"), "README.md is not JSON"),
        (("fat",), "fat"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: tuple[str, ...], said: str) -> None:
    done = qwenctl(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n", "holds no QwenDeployment"),
        ("kind: QwenDeployment\napiVersion: qwen-operator.dev/v2\n", "apiVersion 'qwen-operator"),
        (
            "kind: QwenDeployment\napiVersion: qwen-operator.dev/v1alpha1\n",
            "metadata.name is missing",
        ),
        ("a: [1\n", "line 2, column 1: not YAML"),
        ("a: \tb\n\t- c", "not YAML"),
    ],
)
def test_a_file_that_holds_something_else_says_what(text: str, said: str) -> None:
    done = qwenctl("fit", "-f", "-", "--gpu", "L4", stdin=text)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_ctrl_c_ends_it_quietly(tmp_path: Path) -> None:
    fifo = tmp_path / "never-written"
    os.mkfifo(fifo)
    command = [*COMMAND, "fit", "-f", str(fifo), "--gpu", "L4"]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, env=ENVIRONMENT) as running,
        fifo.open("w"),  # it opens once the other side reads
    ):
        running.send_signal(signal.SIGINT)
        assert running.wait() == 130
        assert running.stderr is not None
        assert running.stderr.read() == b""


def test_ctrl_c_while_it_is_still_being_read_ends_it_quietly(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("print('reading', flush=True); import time; time.sleep(60)")
    searched = f"{tmp_path}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"
    with subprocess.Popen(
        [*COMMAND, *SMALL],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**ENVIRONMENT, "PYTHONPATH": searched},
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == b"reading\n"
        running.send_signal(signal.SIGINT)
        # By the signal itself, which a shell tells as 130.
        assert running.wait() == -signal.SIGINT
        assert running.stderr.read() == b""


def _on_a_terminal(env: dict[str, str]) -> str:
    main, side = pty.openpty()
    subprocess.run(
        [*COMMAND, *SMALL], stdout=side, check=True, env={**ENVIRONMENT, "TERM": "xterm", **env}
    )
    os.close(side)
    text = os.read(main, 65536).decode()
    os.close(main)
    return text


def test_colour_is_for_terminals_and_never_with_no_color() -> None:
    assert "\x1b[32mfits" in _on_a_terminal({"NO_COLOR": ""})
    assert "\x1b" not in _on_a_terminal({"NO_COLOR": "1"})


def test_the_version_is_told() -> None:
    done = qwenctl("--version")
    assert (done.code, done.out.split()[0]) == (0, "qwenctl")


def test_completion_offers_the_commands() -> None:
    done = qwenctl(
        env={"_QWENCTL_COMPLETE": "complete_bash", "COMP_WORDS": "qwenctl fi", "COMP_CWORD": "1"}
    )
    assert "fit" in done.out


LOG = """\
INFO gpu_model_runner.py:1801] Model loading took 15.2683 GiB and 3.617503 seconds
INFO gpu_worker.py:232] Available KV cache memory: 18.69 GiB
INFO kv_cache_utils.py:716] GPU KV cache size: 136,080 tokens
"""


def test_an_answer_is_held_against_a_log_of_vllms_own() -> None:
    asked = ("Qwen/Qwen3-8B", "--gpu", "A100-40GB", "--vllm", "0.9.2", "--max-num-seqs", "256")
    done = qwenctl("fit", *asked, "--against", "-", stdin=LOG)
    assert done.code == 0
    rows = done.out.split("AGAINST THE LOG")[1].splitlines()[1:]
    assert [row.split("  ")[0] for row in rows] == ["weights", "KV cache", "tokens"]
    assert rows[1].endswith("-0.1 % of the share")
    value = json.loads(qwenctl("fit", *asked, "--against", "-", "-o", "json", stdin=LOG).out)
    assert value["against"][2]["printed"] == "136080"
    empty = qwenctl("fit", *asked, "--against", "-", stdin="nothing of the kind")
    assert (empty.code, empty.out) == (2, "")
    assert "the log holds none of vLLM's lines on memory" in empty.err


def test_the_readmes_example_is_what_it_prints() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = page.split('--gpu "RTX 4090"\n')[1].split("```")[0].split("…\n")
    printed = qwenctl("fit", "Qwen/Qwen3-8B", "--gpu", "RTX 4090").out
    assert all(part in printed for part in shown)
