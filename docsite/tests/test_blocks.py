"""What becomes of a block is said above it, or follows from its language, or is asked for."""

import pytest

from docsite.blocks import Fate, UnmarkedError, blocks_of
from docsite.console import shown


def fates(text: str, page: str = "docs/x.md") -> list[tuple[Fate, str]]:
    return [(each.fate, each.why) for each in blocks_of(page, text)]


def fence(language: str, *marks: str, text: str = "x\n") -> str:
    return "".join(f"<!-- {each} -->\n" for each in marks) + f"```{language}\n{text}```\n"


def test_a_language_says_what_becomes_of_a_block() -> None:
    text = "\n".join(map(fence, ("sh", "console", "yaml", "json", "python", "text")))
    assert [each for each, _ in fates(text)] == [
        Fate.OFFLINE,
        Fate.OFFLINE,
        Fate.READ,
        Fate.READ,
        Fate.READ,
        Fate.NEVER,
    ]


def test_a_comment_says_otherwise_for_its_block_alone() -> None:
    text = fence("sh", "run: cluster") + fence("sh", "run: never: it takes a GPU") + fence("sh")
    assert fates(text) == [
        (Fate.CLUSTER, ""),
        (Fate.NEVER, "it takes a GPU"),
        (Fate.OFFLINE, ""),
    ]


def test_a_page_may_say_it_for_its_every_shell_block() -> None:
    text = (
        "<!-- run: cluster, the whole page -->\n" + fence("sh") + fence("yaml") + fence("console")
    )
    assert [each for each, _ in fates(text)] == [Fate.CLUSTER, Fate.READ, Fate.OFFLINE]


@pytest.mark.parametrize(
    "text",
    [
        fence("sh", "run: never"),
        fence("sh", "run: never: "),
        fence("sh", "run: sometimes"),
        fence("yaml", "run: cluster"),
        fence("yaml", "yaml: nonsense"),
        fence("cobol"),
        fence(""),
    ],
)
def test_what_nobody_can_say_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(UnmarkedError, match=r"docs/x\.md:\d+"):
        blocks_of("docs/x.md", f"# A page\n\n{text}")


def test_a_block_knows_its_line_its_file_and_its_text_without_indentation() -> None:
    text = "- a list\n\n  <!-- file: a.yaml -->\n  ```yaml\n  a:\n    b: 1\n  ```\n"
    (found,) = blocks_of("docs/x.md", text)
    assert (found.line, found.file, found.text) == (4, "a.yaml", "a:\n  b: 1\n")


def test_a_translated_page_is_held_against_the_english_one() -> None:
    assert fates(fence("sh"), "docs/zh/start.md") == [(Fate.TRANSLATED, "")]


@pytest.mark.parametrize(
    ("printed", "said", "same"),
    [
        ("a\nb", "a  \nb\n", True),
        ("a\n…\nd", "a\nb\nc\nd", True),
        ("a … c", "a b c", True),
        ("a", "a\nb", False),
        ("a.c", "abc", False),
        ("a\n…", "b\na\nc", False),
    ],
)
def test_what_is_printed_must_be_what_is_shown_but_for_dots(
    printed: str, said: str, *, same: bool
) -> None:
    (found,) = shown(f"$ x\n{printed}\n")
    assert (found.command, found.matches(said)) == ("x", same)


def test_output_without_a_command_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with a command"):
        shown("output\n$ x\n")
