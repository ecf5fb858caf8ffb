"""The site: what is looked at once it is built, and what its hooks change."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from docsite.links import anchor
from docsite.site import problems
from docsite.site_hooks import on_page_markdown, slug


def made(folder: Path, body: str, other: str = '<p id="here">x</p>') -> list[str]:
    (folder / "other").mkdir()
    (folder / "other" / "index.html").write_text(other)
    (folder / "a.png").write_bytes(b"")
    (folder / "index.html").write_text(f"<html><body>{body}</body></html>")
    return list(problems(folder))


@pytest.mark.parametrize(
    "body",
    [
        '<a href="other/">x</a>',
        '<a href="other/#here">x</a>',
        '<a href="https://example.com">x</a>',
        '<img src="a.png">',
        '<link rel="canonical" href="https://example.com/">',
        '<i id="z"></i><a href="#z">x</a>',
    ],
)
def test_what_leads_somewhere_is_no_problem(tmp_path: Path, body: str) -> None:
    assert made(tmp_path, body) == []


@pytest.mark.parametrize(
    "body",
    [
        '<a href="nowhere/">x</a>',
        '<a href="other/#nowhere">x</a>',
        '<a href="#nowhere">x</a>',
        '<img src="b.png">',
        '<script src="https://cdn.example.com/x.js"></script>',
        '<link rel="stylesheet" href="https://fonts.example.com/css">',
        '<img src="//cdn.example.com/x.png">',
    ],
)
def test_what_leads_nowhere_or_is_loaded_from_elsewhere_is_told(tmp_path: Path, body: str) -> None:
    assert len(made(tmp_path, body)) == 1


def test_an_empty_site_is_a_problem(tmp_path: Path) -> None:
    assert len(list(problems(tmp_path))) == 1


@pytest.mark.parametrize(
    ("page", "written", "led"),
    [
        ("install.md", "[x](../charts/qwen-operator/README.md)", "[x](chart.md)"),
        ("howto/page.md", "[x](../../CHANGELOG.md#top)", "[x](../changes.md#top)"),
        ("chart.md", "[x](../../docs/install.md)", "[x](install.md)"),
        ("changes.md", "[x](docs/wire.md)", "[x](wire.md)"),
        ("howto/page.md", "[x](../wire.md#errors)", "[x](../wire.md#errors)"),
        ("index.md", "[x](https://example.com)", "[x](https://example.com)"),
    ],
)
def test_links_to_the_rest_of_the_repository_lead_to_pages_of_the_site(
    page: str, written: str, led: str
) -> None:
    shown = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    assert on_page_markdown(written, page=shown) == led


@pytest.mark.parametrize(
    "words", ["When pods roll, and when they do not", "没有集群，只有一台 GPU"]
)
def test_the_site_s_anchors_are_those_of_the_links(words: str) -> None:
    assert slug(words, "-") == anchor(words)
