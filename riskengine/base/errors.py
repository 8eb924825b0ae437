"""What went wrong, said once and completely.

Bad input is reported as a list of :class:`Problem`: the place (file, row, field), the rule that was
broken, what came and what would have been accepted.  All problems of a file travel in one
:class:`InputError`; the command line prints them and exits with 1 (no traceback unless ``--debug``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule at one place."""

    rule: str
    file: str = ""
    row: int | None = None
    """Line of the file as an editor counts it (1 = first line), None when there is none."""
    field: str = ""
    got: str = ""
    accepted: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.field:
            place += f", field '{self.field}'" if place else f"field '{self.field}'"
        text = f"{place}: {self.rule}" if place else self.rule
        if self.got:
            text += f" (got {self.got})"
        if self.accepted:
            text += f". Accepted: {self.accepted}"
        return text


class RiskEngineError(Exception):
    """Base of every error the command line turns into one message and exit code 1."""


class InputError(RiskEngineError):
    """Input that breaks one or more rules; carries every problem found."""

    def __init__(self, problems: Problem | str | Iterable[Problem]):
        if isinstance(problems, str):
            problems = Problem(problems)
        if isinstance(problems, Problem):
            problems = (problems,)
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class ModelError(RiskEngineError):
    """A condition the method promises was violated (ledger imbalance, unstable loop, singular matrix)."""


def suggest(word: str, accepted: Sequence[str], most: int = 12) -> str:
    """Accepted values as one string, the nearest to *word* first, shortened past *most*."""
    near = difflib.get_close_matches(word, accepted, n=3, cutoff=0.5)
    rest = [a for a in accepted if a not in near]
    names = near + rest
    more = f" … ({len(names) - most} more)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
