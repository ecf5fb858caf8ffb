"""GPUs are known by every name that a person, a driver or a cloud gives them."""

import pytest

from qwen_operator.errors import InvalidSpec
from qwen_operator.fit.devices import gpu, gpus, mig_slice, of_mebibytes
from qwen_operator.fit.knowledge import GIB, read


@pytest.mark.parametrize(
    ("given", "name"),
    [
        # NVIDIA's GPU feature discovery.
        ("NVIDIA-A100-SXM4-40GB", "A100-40GB"),
        ("NVIDIA-A100-SXM4-80GB", "A100-80GB"),
        ("NVIDIA-A100-80GB-PCIe", "A100-80GB"),
        ("NVIDIA-A100-PCIE-40GB", "A100-40GB"),
        ("NVIDIA-H100-80GB-HBM3", "H100-80GB"),
        ("NVIDIA-H100-PCIe", "H100-80GB"),
        ("NVIDIA-H100-NVL", "H100-NVL"),
        ("NVIDIA-H200", "H200"),
        ("NVIDIA-L4", "L4"),
        ("NVIDIA-L4-SHARED", "L4"),
        ("NVIDIA-A10G", "A10G"),
        ("NVIDIA-RTX-A6000", "RTX-A6000"),
        ("NVIDIA-RTX-6000-Ada-Generation", "RTX-6000-Ada"),
        ("NVIDIA-GeForce-RTX-4090", "RTX-4090"),
        ("Tesla-T4", "T4"),
        ("Tesla-V100-SXM2-32GB", "V100-32GB"),
        # GKE.
        ("nvidia-l4", "L4"),
        ("nvidia-h100-mega-80gb", "H100-80GB"),
        ("nvidia-h200-141gb", "H200"),
        # nvidia-smi, and people.
        ("NVIDIA GeForce RTX 3090", "RTX-3090"),
        ("rtx 4090", "RTX-4090"),
        ("4090", "RTX-4090"),
        ("a100", "A100-80GB"),
        ("V100", "V100-16GB"),
    ],
)
def test_a_gpu_is_known_by_its_names(given: str, name: str) -> None:
    assert gpu(given).name == name


@pytest.mark.parametrize("name", read("gpus")["also"])
def test_every_other_name_leads_to_a_row(name: str) -> None:
    assert gpu(name).name in read("gpus")["gpus"]


def test_a_name_of_two_cards_is_computed_with_the_first_and_bounded_by_the_largest() -> None:
    assert gpu("V100").memory == gpu("V100-16GB").memory
    assert gpu("V100").at_most == gpu("V100-32GB").at_most
    assert gpu("A100").at_most == gpu("A100-80GB").at_most


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ("nvidia.com/mig-3g.40gb", 40),
        ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", 10),
        ("nvidia.com/mig-7g.80gb", 80),
    ],
)
def test_a_mig_slice_tells_its_memory(given: str, most: int) -> None:
    found = mig_slice(given)
    assert found is not None
    assert found.at_most == most * GIB
    assert 0.9 * most * GIB < found.memory < found.at_most


def test_a_whole_gpu_is_no_slice() -> None:
    assert mig_slice("nvidia.com/gpu") is None


def test_nvidia_smi_counts_more_than_cuda_reports() -> None:
    found = of_mebibytes(23034)
    assert abs(found.memory - gpu("L4").memory) < 0.3 * GIB
    assert found.at_most == 23034 * 1024**2


def test_no_card_is_larger_than_its_upper_bound() -> None:
    # What other logs than the table's showed, in GiB.
    for name, seen in (("L4", 22.06), ("A100-80GB", 79.33), ("H100-80GB", 79.19), ("L40S", 44.53)):
        assert gpu(name).at_most >= seen * GIB
    assert all(each.at_most > each.memory for each in gpus())


@pytest.mark.parametrize("given", ["", "-", "NVIDIA-A40-12Q", "RX 7900", "0GiB", "nvidia"])
def test_what_is_no_gpu_is_refused(given: str) -> None:
    with pytest.raises(InvalidSpec):
        gpu(given)
