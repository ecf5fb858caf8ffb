"""Every page: its commands run, its YAML is valid, its links lead somewhere."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from docsite import generate
from docsite.blocks import ROOT, TRANSLATIONS, Block, Fate, blocks, pages
from docsite.links import Link, all_wrong, anchor, wrong
from docsite.session import FailedError, Session
from qwen_operator import naming

EVERY = blocks()
OFFLINE = sorted({each.page for each in EVERY if each.fate is Fate.OFFLINE})


@pytest.mark.parametrize("page", OFFLINE)
def test_a_page_s_commands_do_what_it_says(page: str, tmp_path: Path) -> None:
    nowhere = {"KUBECONFIG": str(tmp_path / "nowhere"), "HOME": str(tmp_path)}
    session = Session(tmp_path, environment=nowhere)
    for block in (each for each in EVERY if each.page == page):
        if block.fate is Fate.OFFLINE or block.file:
            session.read(block)


def test_a_page_that_shows_what_is_not_printed_is_found(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.show("$ echo a b\na …\n")
    with pytest.raises(FailedError, match="prints"):
        session.show("$ echo a\nb\n")
    with pytest.raises(FailedError, match="ended with 3"):
        session.type("exit 3")


def resources(block: Block) -> Iterator[dict[str, object]]:
    return (each for each in yaml.safe_load_all(block.text) if each)


@pytest.mark.parametrize(
    "block", [pytest.param(each, id=each.place) for each in EVERY if each.language == "yaml"]
)
def test_yaml_is_what_it_claims_to_be(block: Block) -> None:
    if block.values:
        chart = ROOT / "charts" / "qwen-operator"
        schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
        defaults = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
        jsonschema.validate(_merged(defaults, yaml.safe_load(block.text)), schema)
        return
    found = list(resources(block))
    assert found
    assert all({"apiVersion", "kind", "metadata"} <= each.keys() for each in found)


def test_every_resource_of_every_page_passes_the_linter(tmp_path: Path) -> None:
    for block in EVERY:
        if block.language == "yaml" and f"kind: {naming.KIND}" in block.text:
            (tmp_path / f"{block.place.replace('/', '-')}.yaml").write_text(block.text)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator" / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "qwenctl", "lint", "--output", "json", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def _merged(under: object, over: object) -> object:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return {**under, **{key: _merged(under.get(key), value) for key, value in over.items()}}


def test_json_is_json_and_python_is_python() -> None:
    for block in EVERY:
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "python":
            ast.parse(block.text)


@pytest.mark.parametrize("page", TRANSLATIONS)
def test_a_translation_has_the_english_pages_commands(page: str) -> None:
    english = {each.text for each in EVERY if each.page not in TRANSLATIONS}
    for block in (each for each in EVERY if each.page == page):
        assert block.fate is Fate.NEVER or block.text in english, block.place


def test_every_link_of_every_page_leads_somewhere() -> None:
    assert list(all_wrong(pages())) == []


@pytest.mark.parametrize(
    "target", ["nowhere.md", "README.md#no-such-heading", "http://example.com", "#nothing"]
)
def test_a_link_that_leads_nowhere_is_found(target: str) -> None:
    assert wrong(Link("README.md", target)) is not None


@pytest.mark.parametrize(
    ("heading", "found"),
    [
        ("When pods roll, and when they do not", "when-pods-roll-and-when-they-do-not"),
        ("`spec.model` and *more*", "specmodel-and-more"),
        ("没有集群，只有一台 GPU 机器", "没有集群只有一台-gpu-机器"),
    ],
)
def test_an_anchor_is_made_as_github_makes_it(heading: str, found: str) -> None:
    assert anchor(heading) == found


@pytest.mark.parametrize("path", generate.outputs(), ids=lambda path: path.name)
def test_the_pictures_are_those_that_the_code_draws(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generate.outputs()[path]
