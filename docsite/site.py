"""`python -m docsite.site FOLDER`: look at a built site.

Every link leads somewhere, and nothing is loaded from elsewhere, where there may be no way to.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

_LOADED = {"img": "src", "script": "src", "iframe": "src", "source": "src", "link": "href"}
_ONLY_NAMED = {"canonical", "next", "prev", "alternate", "edit"}
"""Relations of a <link> that no browser loads."""


@dataclass
class Page(HTMLParser):
    """What an HTML page links, loads and can be linked by."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in _LOADED and _LOADED[tag] in given:
            named = tag == "link" and set(given.get("rel", "").split()) & _ONLY_NAMED
            if not named:
                self.loads.append(given[_LOADED[tag]])


def read(path: Path) -> Page:
    """Parse one page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _target(folder: Path, page: Path, place: str) -> Path:
    path = folder / place.lstrip("/") if place.startswith("/") else page.parent / place
    return path / "index.html" if path.is_dir() or place.endswith("/") else path


def _is_outside(link: str) -> bool:
    parts = urlsplit(link)
    return bool(parts.scheme or parts.netloc)


def problems(folder: Path) -> Iterator[str]:
    """What is wrong with a site, a line each."""
    pages = {path.resolve(): read(path) for path in sorted(folder.rglob("*.html"))}
    if not pages:
        yield f"{folder} holds no page"
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        # What is not found may be asked for at any depth; its links begin at the root.
        if name.name == "404.html":
            continue
        for each in page.loads:
            if _is_outside(each):
                yield f"{name} loads {each}"
        for each in (*page.links, *page.loads):
            if _is_outside(each):
                continue
            place, fragment = urldefrag(each)
            target = _target(folder, path, unquote(place)).resolve() if place else path
            if not target.exists():
                yield f"{name}: {each}: there is no such file"
            elif fragment and target in pages and unquote(fragment) not in pages[target].anchors:
                yield f"{name}: {each}: there is no such place"


def main() -> int:
    """Look at a site; the exit status is not 0 if something is wrong with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    found = list(problems(folder))
    for each in found:
        print(each)
    count = sum(1 for _ in folder.rglob("*.html"))
    print(f"{count} pages, {len(found) or 'no'} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
