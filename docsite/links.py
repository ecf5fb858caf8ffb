"""Links of the pages: every file and heading that one names must be there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from docsite.blocks import ROOT

_CODE: Final = re.compile(r"^ *(```+).*?^ *\1$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_FENCED: Final = re.compile(r"^ *(```+).*?^ *\1$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^()\s]+(?:\([^()\s]*\))?)\)")
_HEADING: Final = re.compile(r"^#+ +(?P<words>.*?) *$", re.MULTILINE)
_OUTSIDE: Final = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Link:
    """One link.

    Attributes:
        page: that it stands on, from the repository's root.
        target: as it is written.
    """

    page: str
    target: str


def _prose(text: str) -> str:
    """The text without its code, in which brackets are no links."""
    return _CODE.sub("", text)


def links(page: str) -> list[Link]:
    """Every link of a page, pictures too."""
    text = _prose((ROOT / page).read_text(encoding="utf-8"))
    return [Link(page, found["target"]) for found in _LINK.finditer(text)]


def anchor(heading: str) -> str:
    """What a heading is linked by, as both GitHub and MkDocs make it."""
    plain = re.sub(r"[*_`]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    kept = re.sub(r"[^\w\- ]", "", plain.lower())
    return re.sub(r"\s+", "-", kept.strip())


def anchors(path: Path) -> set[str]:
    """The anchors of a page."""
    text = _FENCED.sub("", path.read_text(encoding="utf-8"))
    return {anchor(found["words"]) for found in _HEADING.finditer(text)}


def wrong(link: Link) -> str | None:
    """What is wrong with a link; None for one that leads somewhere, or out of the repository."""
    if _OUTSIDE.match(link.target):
        secure = link.target.startswith(("https://", "http://localhost", "mailto:"))
        return None if secure else f"{link.page}: {link.target} is not https"
    place, _, fragment = unquote(link.target).partition("#")
    path = (ROOT / link.page).parent / place if place else ROOT / link.page
    if not path.exists():
        return f"{link.page}: {link.target}: there is no such file"
    if fragment and fragment not in anchors(path):
        return f"{link.page}: {link.target}: there is no such heading"
    return None


def all_wrong(pages: list[str]) -> Iterator[str]:
    """What is wrong with the links of these pages."""
    for page in pages:
        for link in links(page):
            if (words := wrong(link)) is not None:
                yield words
