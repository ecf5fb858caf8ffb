"""vLLM's own lines on memory, of several versions."""

import pytest

from qwen_operator.fit.knowledge import GIB
from qwen_operator.fit.logs import Printed, printed
from tests.unit.fit.published import cases


@pytest.mark.parametrize(
    ("log", "found"),
    [
        (
            (
                "Free memory on device (15.32/15.55 GiB) on startup. GPU KV cache size: 1,043,072"
                " tokens; Available KV cache memory: 11.94 GiB; Model loading took 0.93 GiB and 2 s"
            ),
            Printed(int(15.55 * GIB), int(0.93 * GIB), int(11.94 * GIB), 1043072),
        ),
        (
            (
                "Loading model weights took 5.2032 GB\n"
                "can use total_gpu_memory (8.00GiB) x gpu_memory_utilization (0.70) = 5.60GiB\n"
                "the rest of the memory reserved for KV Cache is -1.05GiB.\n# cuda blocks: 0, # CPU"
            ),
            Printed(8 * GIB, int(5.2032 * GIB), int(-1.05 * GIB), 0),
        ),
        ("# CUDA blocks: 3947, # CPU blocks: 2048", Printed(tokens=3947 * 16)),
        ("# GPU blocks: 10", Printed(tokens=160)),
        ("nothing", Printed()),
        ("", Printed()),
    ],
)
def test_figures_are_found_in_the_words_of_every_version(log: str, found: Printed) -> None:
    assert printed(log, 16) == found


def test_published_lines_are_understood_as_they_were_typed_in() -> None:
    checked = 0
    for each in cases():
        seen, line = each.raw["seen"], printed(each.raw["line"], 16)
        if line.tokens is not None and "tokens" in seen:
            assert line.tokens == seen["tokens"], each.raw["name"]
            checked += 1
        if line.kv_cache is not None and "kv_gib" in seen:
            assert line.kv_cache == int(seen["kv_gib"] * GIB), each.raw["name"]
            checked += 1
    assert checked >= 8
