"""What a `console` block shows: commands, and what they print."""

import re
from dataclasses import dataclass

_ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Shown:
    """One command and what it prints.

    Attributes:
        command: without the prompt.
        printed: what stands below it; … stands for anything.
    """

    command: str
    printed: str

    def matches(self, said: str) -> bool:
        """Whether that is what was printed; spaces at the ends of lines do not count."""
        wanted, got = (
            "\n".join(line.rstrip() for line in text.strip().splitlines())
            for text in (self.printed, said)
        )
        pattern = ".*?".join(re.escape(part) for part in wanted.split(_ANYTHING))
        return re.fullmatch(pattern, got, re.DOTALL) is not None


def shown(block: str) -> list[Shown]:
    """The commands of a block, in order.

    Raises:
        ValueError: it does not begin with one.
    """
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        elif not found:
            raise ValueError(f"a console block begins with a command, not with {line!r}")
        else:
            found[-1][1].append(line)
    return [Shown(command, "\n".join(lines)) for command, lines in found]
