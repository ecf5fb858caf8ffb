"""What MkDocs is told beside mkdocs.yml: pages that lie elsewhere, and links that lead there.

Kept free of this repository's own imports: MkDocs runs in an environment of its own.
"""

import importlib
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = {
    "charts/qwen-operator/README.md": "chart.md",
    "CHANGELOG.md": "changes.md",
}
"""File of the repository → the page of the site that shows it."""

_LINK = re.compile(r"(?P<before>\]\()(?P<target>[^()\s:#]+)(?P<fragment>#[^()\s]*)?\)")


def slug(text: str, separator: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"\s+", separator, re.sub(r"[^\w\- ]", "", text.lower()).strip())


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - MkDocs is not in this environment
    """Add the pages that lie elsewhere."""
    file = importlib.import_module("mkdocs.structure.files").File

    for source, page in ELSEWHERE.items():
        files.append(file.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_more: Any) -> str:  # noqa: ANN401 - as above
    """Let links between docs/ and the rest of the repository lead to pages of the site."""
    own = page.file.src_uri
    elsewhere = {shown: source for source, shown in ELSEWHERE.items()}
    place = elsewhere.get(own, f"docs/{own}")

    def led(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(place), found["target"]))
        shown = ELSEWHERE.get(path, path.removeprefix("docs/") if path.startswith("docs/") else "")
        if not shown:
            return found[0]
        here = posixpath.relpath(shown, posixpath.dirname(own) or ".")
        return f"{found['before']}{here}{found['fragment'] or ''})"

    return _LINK.sub(led, markdown)
