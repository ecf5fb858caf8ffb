"""Gives a bare venv the carried packages first, and another Python's packages behind them.

`unpack.sh` copies this file into the venv and calls it from a `.pth` file, so it also runs in the
Python that Triton's stub embeds, where PYTHONPATH is ignored. A venv made from a venv's Python
would see that one's base and not its packages; and to see them unfiltered would not do, since the
carried NumPy is older than what some of them are built for.
"""

from __future__ import annotations

import site
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType

# Built for NumPy 2; Transformers imports them where it finds them, and neither it nor vLLM needs
# them to serve.
HIDDEN = frozenset({"scipy", "sklearn"})
_HIDDEN_DISTRIBUTIONS = frozenset({"scipy", "scikit-learn"})


class VisiblePathFinder(PathFinder):
    """The finder of everything on sys.path, blind for the hidden packages."""

    @classmethod
    def find_spec(
        cls,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Nothing for a hidden module, as if it were not installed."""
        if fullname.partition(".")[0] in HIDDEN:
            return None
        return super().find_spec(fullname, path, target)

    @classmethod
    def find_distributions(  # type: ignore[override]
        cls, context: DistributionFinder.Context | None = None
    ) -> Iterable[Distribution]:
        """All distributions that match, less the hidden ones."""
        found = super().find_distributions(context) if context else super().find_distributions()
        return [each for each in found if each.name not in _HIDDEN_DISTRIBUTIONS]


def install(carried: str, behind: Sequence[str]) -> None:
    """Append folders of packages to sys.path, in order, and hide what they must not offer."""
    for folder in (carried, *behind):
        site.addsitedir(folder)
    sys.meta_path[:] = [
        VisiblePathFinder if finder is PathFinder else finder for finder in sys.meta_path
    ]
