"""What a build hands over from this machine, and what it says when the machine cannot build."""

import os
import subprocess
from pathlib import Path

import pytest

from images import buildah, host
from images.__main__ import main
from images.client_settings import mounted_settings, write_settings
from images.errors import ImagesError


def test_certificates_and_indexes_are_handed_over_and_nothing_else(tmp_path: Path) -> None:
    bundle = tmp_path / "company.pem"
    bundle.write_text("certificate")
    folder = tmp_path / "settings"
    folder.mkdir()
    write_settings(
        folder,
        {
            "PIP_CERT": str(bundle),
            "SSL_CERT_FILE": str(tmp_path / "gone.pem"),
            "PIP_INDEX_URL": "mirror'; touch pwned; '",
            "UV_CACHE_DIR": "/somewhere",
            "API_TOKEN": "secret",
        },
    )
    text = (folder / "env").read_text()
    assert "PIP_CERT=/dev/client/pip_cert\n" in text
    assert (folder / "pip_cert").read_text() == "certificate"
    assert not any(word in text for word in ("gone", "CACHE", "secret", str(tmp_path)))
    shown = subprocess.run(
        ["sh", "-c", f'. {folder}/env; printf %s "$PIP_INDEX_URL"'],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert shown.stdout == "mirror'; touch pwned; '"
    assert not (folder / "pwned").exists()


def test_settings_are_gone_after_the_build() -> None:
    with mounted_settings({}) as options:
        folder = Path(options[1].split(":")[0])
        assert (folder / "env").exists()
    assert not folder.exists()


def test_a_user_without_root_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ImagesError, match="sudo"):
        host.require_host()


def test_a_full_disk_is_said_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(host, "FREE_BYTES", 2**60)
    with pytest.raises(ImagesError, match=r"GiB free.*prune"):
        host.require_host()


def test_an_unknown_image_is_refused_with_the_names_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["build", "tritn-cpu"])
    assert stopped.value.code == 2
    assert "operator, triton-cpu" in capsys.readouterr().err


def test_a_machine_without_buildah_has_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not buildah.exists("localhost/qwen-operator:x")


def test_a_build_that_fails_shows_its_last_words_and_ends_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in = tmp_path / "buildah"
    stand_in.write_text(
        "#!/bin/sh\n[ $1 = build ] && echo 'STEP 1/1: FROM x' && echo no route\nexit 9\n"
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ImagesError, match=r"ended with 9(.|\n)*no route"):
        buildah.build("Containerfile", "localhost/x:1", {}, context=tmp_path, keep_layers=True)
    assert "STEP 1/1: FROM x" in capsys.readouterr().err
