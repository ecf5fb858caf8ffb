"""An image's name follows from what goes in, and from nothing else."""

import re
from pathlib import Path

import pytest

from images import recipes
from images.errors import ImagesError
from images.recipes import RECIPES, ROOT, Recipe, base_reference, content_hash, reference


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text("a = 1\n")
    (tmp_path / "lock.txt").write_text("x==1\n")
    return tmp_path


INPUTS = ("src", "lock.txt")


def test_the_same_tree_elsewhere_has_the_same_name(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    (other / "src").mkdir(parents=True)
    for name in ("src/a.py", "lock.txt"):
        (other / name).write_bytes((tree / name).read_bytes())
    assert content_hash(other, INPUTS) == content_hash(tree, INPUTS)


@pytest.mark.parametrize("change", ["content", "rename", "new file", "mode", "setting"])
def test_each_change_of_what_goes_in_makes_a_new_name(tree: Path, change: str) -> None:
    before = content_hash(tree, INPUTS)
    settings: tuple[str, ...] = ()
    match change:
        case "content":
            (tree / "src/a.py").write_text("a = 2\n")
        case "rename":
            (tree / "src/a.py").rename(tree / "src/b.py")
        case "new file":
            (tree / "src/b.py").write_text("")
        case "mode":
            (tree / "src/a.py").chmod(0o755)
        case "setting":
            settings = ("base",)
    assert content_hash(tree, INPUTS, *settings) != before


def test_bytecode_and_files_beside_the_inputs_change_nothing(tree: Path) -> None:
    before = content_hash(tree, INPUTS)
    (tree / "src/__pycache__").mkdir()
    (tree / "src/__pycache__/a.pyc").write_bytes(b"x")
    (tree / "README").write_text("x")
    assert content_hash(tree, INPUTS) == before


def test_a_missing_input_is_named(tree: Path) -> None:
    with pytest.raises(ImagesError, match=r"gone\.txt"):
        content_hash(tree, ("gone.txt",))


def test_a_base_is_named_by_its_packages_not_by_where_the_checkout_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "list").write_text("# comment\ntini\n")
        roots.append(tmp_path / name)
    first, second = (base_reference(root, "list") for root in roots)
    assert first == second
    (roots[1] / "list").write_text("# comment\ntini\nbash\n")
    assert base_reference(roots[1], "list") != first
    monkeypatch.setattr(recipes, "SUITE", "trixie")
    assert base_reference(roots[0], "list") != first


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_all_that_a_containerfile_copies_counts_in_its_name(recipe: Recipe) -> None:
    text = (ROOT / recipe.containerfile).read_text().replace("\\\n", " ")
    copies = re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
    sources = [source for line in copies for source in line.split()[:-1]]
    assert sources
    for source in sources:
        assert any(source == each or source.startswith(f"{each}/") for each in recipe.inputs)
    assert not re.search(r"--mount=type=bind", text), "older builders do not notice its changes"
    assert reference(ROOT, recipe).startswith(f"{recipe.repository}:")
