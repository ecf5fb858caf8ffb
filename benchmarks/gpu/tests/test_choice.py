import pytest

from benchmarks.gpu.choice import (
    LEFT_OUT,
    ON_THE_MACHINE,
    TRITON_WHEEL,
    is_pruned,
    requirements,
    travelling,
)
from benchmarks.gpu.errors import PackError
from benchmarks.gpu.pack import LOCK

SMALL_LOCK = """\
numpy==1.26.4 \\
    --hash=sha256:aa
    # via vllm
torch==2.11.0 \\
    --hash=sha256:bb
nvidia-pytriton==0.7.0 \\
    --hash=sha256:cc
tilelang==0.1.9 \\
    --hash=sha256:dd
vllm==0.24.0 \\
    --hash=sha256:ee \\
    --hash=sha256:ff
"""


def test_what_the_machine_has_and_what_is_left_out_do_not_travel() -> None:
    assert list(requirements(travelling(SMALL_LOCK))) == ["numpy", "vllm"]


def test_what_travels_keeps_all_its_hashes() -> None:
    assert travelling(SMALL_LOCK).endswith(
        "vllm==0.24.0 \\\n    --hash=sha256:ee \\\n    --hash=sha256:ff\n"
    )


def test_every_package_of_the_tables_is_in_the_lock() -> None:
    locked = requirements(LOCK.read_text()).keys()

    assert not (ON_THE_MACHINE | LEFT_OUT.keys() | {TRITON_WHEEL}) - locked


def test_no_package_is_in_two_tables() -> None:
    assert not ON_THE_MACHINE & LEFT_OUT.keys()


def test_the_lock_carries_the_numpy_of_the_stub() -> None:
    assert requirements(LOCK.read_text())["numpy"].startswith("numpy==1.")


def test_an_empty_lock_is_refused() -> None:
    with pytest.raises(PackError, match="make lock"):
        requirements("# nothing\n")


@pytest.mark.parametrize(
    "path",
    [
        "bin/vllm",
        "numpy/core/tests/test_api.py",
        "vllm/vllm_flash_attn/_vllm_fa2_C.abi3.so",
        "vllm/third_party/deep_gemm/include/cute/atom.hpp",
    ],
)
def test_what_serving_never_reads_is_pruned(path: str) -> None:
    assert is_pruned(path)


@pytest.mark.parametrize(
    "path",
    [
        "vllm/vllm_flash_attn/_vllm_fa3_C.abi3.so",
        "vllm/_moe_C_stable_libtorch.abi3.so",
        "vllm-0.24.0.dist-info/METADATA",
        "numpy/testing/__init__.py",
    ],
)
def test_what_serving_needs_is_not_pruned(path: str) -> None:
    assert not is_pruned(path)
