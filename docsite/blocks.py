"""The code blocks of the documentation, each with what becomes of it in a test.

A comment right above a block says what is to be done with it; nothing is said of what follows from
its language:

    <!-- run: cluster -->       typed into a shell in a test on the embedded cluster
    <!-- run: never: WHY -->    not run, and why
    <!-- file: NAME -->         written to a file of that name, for the blocks below
    <!-- yaml: values -->       values of the chart, held against its schema

Without one, `sh` is typed into a shell without a cluster, `console` too and what it shows must be
what is printed (… stands for anything), a QwenDeployment in `yaml` is linted, `json` and `python`
are read. A line `<!-- run: cluster, the whole page -->` says it for every `sh` of a page.
"""

import re
import textwrap
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
TRANSLATIONS: Final = ("docs/zh/start.md", "README.zh-CN.md")
"""Pages whose every block stands in an English page, which is the one that is run."""

_FENCE: Final = re.compile(
    r"^(?P<indent> *)(?P<ticks>```+)(?P<language>\S*)[^\n]*\n(?P<text>.*?)^(?P=indent)(?P=ticks)$",
    re.MULTILINE | re.DOTALL,
)
_MARK: Final = re.compile(r"<!-- (?P<key>run|file|yaml): (?P<value>.*?) -->\s*$")
_WHOLE_PAGE: Final = "<!-- run: cluster, the whole page -->"
_SHELL: Final = {"sh", "console"}
_READ: Final = {"yaml", "json", "python"}
_SHOWN: Final = {"mermaid", "promql", "text"}


class Fate(Enum):
    """What a test does with a block."""

    OFFLINE = "typed into a shell that has no cluster"
    CLUSTER = "typed into a shell on the embedded cluster"
    READ = "read: linted, parsed or compiled"
    NEVER = "not run"
    TRANSLATED = "the same as a block of an English page"


class UnmarkedError(Exception):
    """A block of which nobody can say what becomes of it; the text names it."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Attributes:
        page: the file that it stands in, from the repository's root.
        line: of its first line.
        language: as its fence says.
        text: without indentation.
        fate: what a test does with it.
        why: why it is not run, where it is not.
        file: the name of the file that it is written to, if any.
        values: whether it is values of the chart.
    """

    page: str
    line: int
    language: str
    text: str
    fate: Fate
    why: str = ""
    file: str = ""
    values: bool = False

    @property
    def place(self) -> str:
        """For a person, and as a test's name."""
        return f"{self.page}:{self.line}"


def _marks(before: str, place: str) -> dict[str, str]:
    """What the comments right above a block say."""
    found = {}
    for line in reversed(before.splitlines()):
        mark = _MARK.match(line.strip())
        if mark is None or line.strip() == _WHOLE_PAGE:
            break
        found[mark["key"]] = mark["value"]
    if found.get("yaml", "values") != "values":
        raise UnmarkedError(f"{place}: yaml: {found['yaml']} means nothing")
    return found


def _fate(language: str, said: str | None, *, whole: bool, place: str) -> tuple[Fate, str]:
    """What becomes of a block, and why it is not run where it is not."""
    if said is not None:
        word, _, why = said.partition(": ")
        if word == "never" and why:
            return Fate.NEVER, why
        if said != "cluster" or language != "sh":
            raise UnmarkedError(
                f"{place}: run: {said} means nothing for {language or 'no language'}"
            )
        return Fate.CLUSTER, ""
    if language in _SHELL:
        return (Fate.CLUSTER if whole and language == "sh" else Fate.OFFLINE), ""
    if language in _READ:
        return Fate.READ, ""
    if language in _SHOWN:
        return Fate.NEVER, "it is shown"
    raise UnmarkedError(f"{place}: nothing is known of {language or 'a block without a language'}")


def blocks_of(page: str, text: str) -> list[Block]:
    """Every fenced block of a page.

    Raises:
        UnmarkedError: of one of them nobody can say what becomes of it.
    """
    whole = _WHOLE_PAGE in text
    found = []
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 1
        place = f"{page}:{line}"
        marks = _marks(text[: fence.start()], place)
        fate, why = _fate(fence["language"], marks.get("run"), whole=whole, place=place)
        if page in TRANSLATIONS and fate in {Fate.OFFLINE, Fate.CLUSTER, Fate.READ}:
            fate = Fate.TRANSLATED
        found.append(
            Block(
                page=page,
                line=line,
                language=fence["language"],
                text=textwrap.dedent(fence["text"]),
                fate=fate,
                why=why,
                file=marks.get("file", ""),
                values=marks.get("yaml") == "values",
            )
        )
    return found


def pages() -> list[str]:
    """Every page that people read, from the repository's root."""
    found = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "charts").rglob("README.md"),
    ]
    return sorted(str(each.relative_to(ROOT)) for each in found)


def blocks(*chosen: str) -> list[Block]:
    """Every block of these pages, or of all."""
    return [
        each
        for page in chosen or pages()
        for each in blocks_of(page, (ROOT / page).read_text(encoding="utf-8"))
    ]
