"""How far a start has come: what the backend and vLLM's log tell, and what wins."""

import json

import pytest

from qwenctl.online.progress import Progress, bar, of_health, of_log, of_model, progress

GIB = 2**30
LOADING = """\
INFO core.py:69] Initializing a V1 LLM engine (v0.9.2) with config: model='Qwen/Qwen3-8B'
Loading safetensors checkpoint shards:   0% Completed | 0/5 [00:00<?, ?it/s]
\rLoading safetensors checkpoint shards:  40% Completed | 2/5 [00:00<00:01,  2.87it/s]
"""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "model-00001-of-00005.safetensors:  34%|███  | 1.3G",
            Progress("downloading the weights", 34),
        ),
        ("Fetching 5 files:  20%|██", Progress("downloading the weights", 20)),
        ("Model loading took 15.2683 GiB and 3.6 seconds", Progress("weights loaded")),
        ("Dynamo bytecode transform time: 7.41 s", Progress("compiling")),
        ("GPU KV cache size: 136,080 tokens", Progress("sizing the KV cache")),
        ("Capturing CUDA graphs (decode, FULL):  71%|███", Progress("capturing CUDA graphs", 71)),
        ("init engine (profile, create kv cache, warmup model) took 5 s", Progress("warming up")),
        ("hello", None),
        ("", None),
    ],
)
def test_each_phase_is_told_from_vllms_own_lines(line: str, found: Progress | None) -> None:
    assert of_log(line) == found
    if found is not None:
        assert of_log(f"{LOADING}{line}\n") == found


def test_a_download_tells_its_bytes_where_the_log_does() -> None:
    line = "model-00001-of-00005.safetensors:  45%|████▌     | 1.78G/3.95G [00:20<00:24, 90MB/s]"
    found = of_log(f"Fetching 5 files:  20%|██\n{line}\n")
    assert found == Progress("downloading the weights", 45, 1_780_000_000, 3_950_000_000)


def test_loading_tells_its_bytes_where_vllm_told_the_checkpoints_size() -> None:
    size = (
        "weight_utils.py:1108] Filesystem type for checkpoints: EXT4. Checkpoint size: 16.00 GiB.\n"
    )
    found = of_log(size + LOADING)
    assert found == Progress("loading the weights", 40, int(6.4 * GIB), 16 * GIB)
    assert found is not None
    assert bar(found) == "[########............] 40% loading the weights (6.4 of 16.0 GiB)"


def health(phase: str, **download: int) -> str:
    return json.dumps({"status": "loading", "phase": phase, "download": download})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (health("importing"), ("importing", Progress("importing vLLM"))),
        (
            health("downloading", bytes=GIB, total=4 * GIB),
            ("downloading", Progress("downloading the weights", 25, GIB, 4 * GIB)),
        ),
        (
            health("downloading", bytes=GIB),
            ("downloading", Progress("downloading the weights", None, GIB)),
        ),
        (
            health("downloading", bytes=5, total=4),
            ("downloading", Progress("downloading the weights", 100, 5, 4)),
        ),
        (health("downloading"), ("downloading", Progress("downloading the weights"))),
        (health("warming"), ("warming", Progress("warming up"))),
        (health("serving"), None),
        (health("unheard of"), None),
        ("<html>", None),
        ("[]", None),
        ("", None),
    ],
)
def test_the_backend_tells_its_phase(text: str, found: tuple[str, Progress] | None) -> None:
    assert of_health(text) == found


def test_the_log_of_an_earlier_container_does_not_hide_that_vllm_is_imported() -> None:
    assert progress(health("importing"), LOADING) == Progress("importing vLLM")


def test_while_vllm_starts_its_log_knows_best() -> None:
    assert progress(health("loading"), LOADING) == of_log(LOADING)
    assert progress(health("loading"), "") == Progress("starting vLLM")
    assert progress(health("opening"), LOADING) == Progress("opening Triton's ports")


def test_whoever_can_be_read_tells() -> None:
    assert progress(None, LOADING) == of_log(LOADING)
    assert progress(health("warming"), None) == Progress("warming up")
    assert progress(None, None) is None
    assert progress("", "hello") is None


def test_a_download_is_told_by_whoever_knows_its_bytes() -> None:
    log = "Fetching 5 files:  20%|██\n"
    assert progress(health("downloading"), log) == Progress("downloading the weights", 20)
    told = Progress("downloading the weights", 50, GIB, 2 * GIB)
    assert progress(health("downloading", bytes=GIB, total=2 * GIB), log) == told


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (Progress("warming up"), "warming up"),
        (Progress("x", 0), "[....................] 0% x"),
        (Progress("x", 150), "[####################] 150% x"),
        (Progress("x", None, 3 * GIB), "x (3.0 GiB)"),
        (
            Progress("x", 50, GIB // 500, GIB // 250),
            "[##########..........] 50% x (0.002 of 0.004 GiB)",
        ),
    ],
)
def test_a_bar_shows_what_is_known(found: Progress, shown: str) -> None:
    assert bar(found) == shown


@pytest.mark.parametrize(
    ("source", "done", "shown"),
    [
        (
            "hf://Qwen/Qwen3-1.7B",
            2 * GIB,
            "[############........] 62% downloading the weights (2.0 of about 3.2 GiB)",
        ),
        (
            "hf://Qwen/Qwen3-1.7B",
            4 * GIB,
            "[###################.] 99% downloading the weights (4.0 of about 3.2 GiB)",
        ),
        ("hf://somebody/else", 2 * GIB, "downloading the weights (2.0 GiB)"),
        ("pvc://weights/x", 2 * GIB, "downloading the weights (2.0 GiB)"),
    ],
)
def test_a_total_that_nobody_tells_is_what_the_models_weights_come_to(
    source: str, done: int, shown: str
) -> None:
    found = Progress("downloading the weights", done=done)
    assert bar(of_model(found, source)) == shown


def test_a_total_that_was_told_stands() -> None:
    found = Progress("downloading the weights", 50, GIB, 2 * GIB)
    assert of_model(found, "hf://Qwen/Qwen3-1.7B") == found
    assert of_model(Progress("compiling"), "hf://Qwen/Qwen3-1.7B") == Progress("compiling")
