"""`qwenctl explain` and `compat`: what the documents say, for one thing at a time."""

import json
import re

import pytest

from qwen_operator.compat.engine_arguments import ARGUMENTS, VERSIONS
from qwen_operator.compat.images import FAMILIES, NVIDIA_DRIVERS, NVIDIA_TAGS
from qwen_operator.status.reasons import Reason
from qwenctl.explaining import every_alert, every_field, find_fields
from tests.unit.qwenctl.calling import ROOT, qwenctl


@pytest.mark.parametrize("path", every_field())
def test_every_field_can_be_explained_by_its_path(path: str) -> None:
    found = json.loads(qwenctl("explain", path, "-o", "json").out)
    assert found["field"] == path
    assert len(found["means"]) > 5


@pytest.mark.parametrize("reason", Reason, ids=lambda each: each.name)
def test_every_reason_can_be_explained_in_any_spelling(reason: Reason) -> None:
    done = qwenctl("explain", reason.name.upper())
    assert done.code == 0
    assert reason.value.remedy in done.out


@pytest.mark.parametrize("alert", every_alert())
def test_every_alert_can_be_explained_in_any_spelling(alert: str) -> None:
    done = qwenctl("explain", alert.lower())
    assert done.code == 0
    assert done.out.startswith(f"{alert} (")
    assert every_alert()[alert]["remedy"] in done.out
    assert f"## {alert}\n" in (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("maxModelLen", ["spec.engine.maxModelLen"]),
        ("engine.MAXMODELLEN", ["spec.engine.maxModelLen"]),
        (".spec.replicas", ["spec.replicas"]),
        ("replicas", ["spec.replicas"]),
        ("status.replicas", ["status.replicas"]),
        ("spec.triton.env[0].name", ["spec.triton.env[].name"]),
    ],
)
def test_the_end_of_a_path_is_enough(given: str, found: list[str]) -> None:
    assert find_fields(given) == found


def test_a_field_is_told_with_bounds_default_and_the_rules_about_it() -> None:
    found = json.loads(qwenctl("explain", "gpus", "-o", "json").out)
    assert (found["default"], found["allowed"]) == (1, "0 … 64")
    assert any("must equal spec.resources.gpus" in each for each in found["rules"])
    name = json.loads(qwenctl("explain", "spec.triton.env[].name", "-o", "json").out)
    assert name["required"]
    assert any("no digit first" in each for each in name["rules"])


def test_an_object_is_told_with_what_it_holds() -> None:
    done = qwenctl("explain", "spec.rollout")
    assert "spec.rollout.maxSurge" in done.out
    assert "cannot both be 0" in done.out


def test_everything_is_listed_when_nothing_is_asked() -> None:
    done = qwenctl("explain")
    assert all(each.name in done.out for each in Reason)
    assert "spec.podTemplate.metadata.labels" in done.out
    assert set(json.loads(qwenctl("explain", "-o", "json").out)) == {"fields", "reasons", "alerts"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("maxModelLength", "did you mean spec.engine.maxModelLen?"),
        ("KvCacheTooSmal", "did you mean KVCacheTooSmall?"),
        ("QwenEngineDaed", "did you mean QwenEngineDead?"),
        ("zzzz", "'zzzz' is neither a field nor a reason nor an alert (qwenctl explain"),
        ("", "neither a field"),
    ],
)
def test_what_is_not_there_is_answered_with_the_nearest(given: str, said: str) -> None:
    done = qwenctl("explain", given)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_every_image_is_listed_with_vllm_and_driver() -> None:
    done = qwenctl("compat")
    for tag, version in NVIDIA_TAGS.items():
        line = next(line for line in done.out.splitlines() if f":{tag}-" in line)
        assert line.split()[1:] == [version, NVIDIA_DRIVERS[tag]]
    assert all(family in done.out for family in FAMILIES)
    assert NVIDIA_TAGS.keys() == NVIDIA_DRIVERS.keys()


@pytest.mark.parametrize(
    "what", ["26.08", "0.27.1", "nvcr.io/nvidia/tritonserver:26.08-vllm-python-py3"]
)
def test_a_version_is_found_by_tag_image_and_itself(what: str) -> None:
    found = json.loads(qwenctl("compat", what, "-o", "json").out)
    assert found["vllm"] == "0.27.1"
    assert "Qwen3" in found["families"]
    assert "Qwen3" not in json.loads(qwenctl("compat", "25.05", "-o", "json").out)["families"]


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_new_and_gone_arguments_add_up(version: str) -> None:
    found = json.loads(qwenctl("compat", version, "-o", "json").out)
    at = VERSIONS.index(version)

    def held(number: int) -> set[str]:
        return {
            name
            for name, (first, last) in ARGUMENTS.items()
            if VERSIONS.index(first) <= number <= VERSIONS.index(last)
        }

    assert set(found["newArguments"]) == held(at) - held(at - 1)
    assert set(found["goneArguments"]) == held(at - 1) - held(at)


def test_an_argument_is_told_with_what_took_its_place() -> None:
    found = json.loads(qwenctl("compat", "guided_decoding_backend", "-o", "json").out)
    assert found["instead"] == "structured_outputs_config"
    assert found["lastSeenIn"] != VERSIONS[-1]


@pytest.mark.parametrize("what", ["Qwen3", "qwen3", "Qwen/Qwen3-8B-AWQ", "hf://Qwen/Qwen3-8B"])
def test_a_family_is_found_by_itself_and_its_models(what: str) -> None:
    found = json.loads(qwenctl("compat", what, "-o", "json").out)
    assert (found["family"], found["fromVllm"]) == ("Qwen3", "0.8.5")
    held = [each["image"] for each in found["images"]]
    assert any("26.08" in each for each in held)
    assert not any("25.05" in each for each in held)
    assert "Qwen3 is served from vLLM 0.8.5 on" in qwenctl("compat", what).out


def test_whether_an_image_takes_an_argument_is_the_exit_code() -> None:
    assert qwenctl("compat", "26.08", "-a", "max_num_seqs").code == 0
    done = qwenctl("compat", "26.08", "-a", "swap_space", "-a", "max_num_seqs")
    assert done.code == 1
    assert "swap_space: vLLM 0.27.1" in done.out
    assert "max_num_seqs: vLLM 0.27.1 takes it" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compat", "26.9"), "is no known image"),
        (("compat", "swap_spac"), "did you mean swap_space?"),
        (("compat", "Qwen9-8B"), "did you mean Qwen"),
        (("compat", "-a", "x"), "-a needs an image"),
        (("compat", "mine:1", "-a", "x"), "'mine:1' is none that is known"),
    ],
)
def test_what_is_not_known_is_a_usage_error(arguments: tuple[str, ...], said: str) -> None:
    done = qwenctl(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_the_documented_table_has_the_drivers() -> None:
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    assert all(f"| {driver} |" in page for driver in NVIDIA_DRIVERS.values())


def test_alerts_name_engine_arguments_as_the_operator_takes_them() -> None:
    told = " ".join(str(alert) for alert in every_alert().values())
    named = set(re.findall(r"`(\w+)` in `spec\.engine\.extraArgs`", told))
    assert named
    assert named <= set(ARGUMENTS)
