"""The binaries' cache: when it holds, when it does not."""

import json
import shutil
from pathlib import Path

import pytest

from e2e.cluster import build
from e2e.cluster.errors import ClusterError


@pytest.fixture(name="modules")
def fixture_modules(tmp_path: Path) -> Path:
    folder = tmp_path / "go"
    (folder / "tool").mkdir(parents=True)
    (folder / "go.mod").write_text("module x\n")
    (folder / "go.sum").write_text("")
    (folder / "tool/main.go").write_text("package main\n")
    return folder


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "tool/main.go"])
def test_a_changed_module_file_changes_the_key(modules: Path, name: str) -> None:
    before = build.cache_key(modules)
    (modules / name).write_text("changed")
    assert build.cache_key(modules) != before


def test_the_key_is_of_content_not_of_place(modules: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(modules, tmp_path / "moved")
    (moved / "README").write_text("not built")
    assert build.cache_key(moved) == build.cache_key(modules)


def test_a_folder_is_complete_only_with_every_file_at_its_size(tmp_path: Path) -> None:
    assert not build.is_complete(tmp_path)
    (tmp_path / "kube").write_text("four")
    (tmp_path / build.RECORD).write_text(json.dumps({"kube": 4}))
    assert build.is_complete(tmp_path)
    (tmp_path / "kube").write_text("cut")
    assert not build.is_complete(tmp_path)
    (tmp_path / "kube").unlink()
    assert not build.is_complete(tmp_path)


@pytest.mark.parametrize("record", ["", "{", "{}", "[]", '["kube"]'])
def test_a_damaged_record_is_not_complete(tmp_path: Path, record: str) -> None:
    (tmp_path / build.RECORD).write_text(record)
    assert not build.is_complete(tmp_path)


def test_the_kubernetes_version_comes_from_the_module_file() -> None:
    go_mod = (build.MODULES / "kubernetes/go.mod").read_text()
    version = build.version_of("k8s.io/kubernetes", go_mod)
    assert version.startswith("v1.34.")
    assert f"gitVersion={version}" in build.linker_flags(version)
    assert "gitMinor=34" in build.linker_flags(version)


def test_a_module_file_without_the_package_is_refused() -> None:
    with pytest.raises(ClusterError, match=r"requires no k8s\.io/kubernetes"):
        build.version_of("k8s.io/kubernetes", "module x\nrequire k8s.io/kubernetes-csi v1.0.0\n")


def test_one_program_is_named_and_several_go_into_the_folder() -> None:
    several, _, single = (build.build_argv(s, Path("/out"), "v1.2.3") for s in build.STEPS)
    assert several[several.index("-o") + 1] == "/out/"
    assert single[single.index("-o") + 1] == "/out/etcd"


def test_no_go_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="Install Go"):
        build.ensure_binaries(lambda _: None)


FAKE_GO = """#!/bin/sh
# Stands for the Go tool: makes what it is asked for, or fails when told.
echo "$*" >> "$CALLS"
if [ "$1" = list ]; then echo "$STAGES"; exit; fi
while [ "$1" != -o ]; do shift; done
out=$2; shift 2
case $out in
*/) for package; do echo made > "$out${package##*/}"; done ;;
*) echo made > "$out" ;;
esac
[ ! -e "$FAIL" ] || { echo "no route to proxy" >&2; exit 1; }
"""


@pytest.fixture(name="go")
def fixture_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tool = tmp_path / "tools/go"
    tool.parent.mkdir()
    tool.write_text(FAKE_GO)
    tool.chmod(0o755)
    for name in build.STAGE_FOLDERS:
        (tmp_path / "kustomize/stage" / name).mkdir(parents=True)
        (tmp_path / "kustomize/stage" / name / "a-stage.yaml").write_text(f"name: {name}\n")
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "NEEDED_GIB", 0)
    for variable, path in (("CALLS", "calls"), ("STAGES", "."), ("FAIL", "fail")):
        monkeypatch.setenv(variable, str(tmp_path / path))
    return tmp_path


def test_binaries_are_built_once_and_again_when_damaged(go: Path) -> None:
    folder = build.ensure_binaries(lambda _: None)
    calls = (go / "calls").read_text()
    assert (folder / "kubelet").resolve() == folder / "kube"
    assert (folder / build.STAGES).read_text().count("name: ") == len(build.STAGE_FOLDERS)
    assert build.ensure_binaries(lambda _: None) == folder
    assert (go / "calls").read_text() == calls
    (folder / "kube").write_text("cut")
    build.ensure_binaries(lambda _: None)
    assert (folder / "kube").read_text() == "made\n"


def test_no_disk_is_said_with_the_way_out(go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "NEEDED_GIB", 1 << 40)
    with pytest.raises(ClusterError, match="set XDG_CACHE_HOME"):
        build.ensure_binaries(lambda _: None)
    assert not (go / "calls").exists()


def test_a_build_that_fails_leaves_no_cache_and_can_be_repeated(
    go: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (go / "fail").touch()
    with pytest.raises(ClusterError, match="run this again to go on"):
        build.ensure_binaries(lambda _: None)
    assert "no route to proxy" in capfd.readouterr().err
    assert not build.binaries_folder().exists()
    (go / "fail").unlink()
    assert build.is_complete(build.ensure_binaries(lambda _: None))


def test_helm_renders_for_the_cluster_s_version() -> None:
    _, addons, _ = (build.build_argv(step, Path("/out"), "v1.34.4") for step in build.STEPS)
    flags = addons[addons.index("-ldflags") + 1]
    assert "chartutil.k8sVersionMajor=1 " in flags
    assert flags.endswith("chartutil.k8sVersionMinor=34")
