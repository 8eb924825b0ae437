"""What a reader found wrong or odd in one file: errors stop the import of the file, remarks are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from riskengine.base.errors import InputError, Problem

MOST_PROBLEMS = 40
"""Errors listed per file; the rest is counted."""


@dataclass(slots=True)
class Findings:
    """Errors and remarks about *file*, in the order they were found."""

    file: str
    errors: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)

    def error(self, rule: str, row: int | None = None, column: str = "", got: object = "",
              accepted: str = "") -> None:
        """Note something that makes the file unfit for import."""
        self.errors.append(Problem(rule, self.file, row, _short(column), _short(got), accepted))

    def remark(self, rule: str, row: int | None = None, column: str = "", got: object = "",
               accepted: str = "") -> None:
        """Note something the user should know; the import goes on."""
        self.remarks.append(Problem(rule, self.file, row, _short(column), _short(got), accepted))

    def stop(self, rule: str, row: int | None = None, column: str = "", got: object = "",
             accepted: str = "") -> InputError:
        """The error to raise when nothing after it can be read; carries the earlier ones."""
        self.error(rule, row, column, got, accepted)
        return self._all()

    def raise_errors(self) -> None:
        """InputError with every error noted so far, if there is one."""
        if self.errors:
            raise self._all()

    def _all(self) -> InputError:
        listed = self.errors[:MOST_PROBLEMS]
        if len(self.errors) > MOST_PROBLEMS:
            listed.append(
                Problem(f"{len(self.errors) - MOST_PROBLEMS} more problems in this file", self.file))
        return InputError(listed)


def name_rows(lines: Sequence[int], most: int = 8) -> str:
    """'rows 3, 7 and 12' for a message; shortened past *most*."""
    shown = [str(n) for n in lines[:most]]
    if len(lines) > most:
        return f"rows {', '.join(shown)} … ({len(lines) - most} more)"
    return f"row{'s' if len(shown) > 1 else ''} " + " and ".join(
        filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _short(got: object) -> str:
    text = str(got)
    return text if len(text) <= 120 else text[:117] + "…"
