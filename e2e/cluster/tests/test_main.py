"""The command line: what it takes, and what it says when there is no cluster."""

from pathlib import Path

import pytest

from e2e.cluster import __main__ as command
from e2e.cluster.lifecycle import Wishes


@pytest.fixture(autouse=True)
def no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e.cluster.layout.LONGEST_STATE_PATH", 1000)
    monkeypatch.setenv("QWEN_CLUSTER_DIR", str(tmp_path))


def test_gpus_not_named_are_left_as_they_are() -> None:
    chosen = command.parser().parse_args(["up"])
    assert Wishes(chosen.gpus, chosen.fake_nodes) == Wishes()
    assert command.parser().parse_args(["up", "--gpus", "0"]).gpus == 0


@pytest.mark.parametrize("words", [["up", "--gpus", "-1"], ["load-image"], ["logs"], []])
def test_words_that_make_no_sense_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 2


def test_a_log_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/etcd.log").write_text("x")
    assert command.main(["logs", "kubelt"]) == 1
    assert "no log of kubelt. There are: etcd" in capsys.readouterr().err


def test_without_a_cluster_status_fails_and_names_every_part(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["status"]) == 1
    printed = capsys.readouterr().out
    assert "kube-apiserver" in printed
    assert "not started" in printed


@pytest.mark.parametrize("name", ["kubeconfig", "env"])
def test_without_a_cluster_one_is_told_to_start_it(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([name]) == 1
    assert "python -m e2e.cluster up" in capsys.readouterr().err
