"""How results look on a terminal: tables in plain columns, a progress bar, and the exit codes.

rich is imported for the progress bar only, and only when stderr is a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from riskengine.base.errors import Problem

if TYPE_CHECKING:
    from riskengine.workflows.nightly import NightOutcome

OK, ERROR, LIMIT_BREACHED, INTERRUPTED = 0, 1, 2, 130


def say(text: str) -> None:
    """A message for people: to stderr, so that stdout stays output."""
    print(text, file=sys.stderr)


def print_night(outcome: NightOutcome) -> None:
    """VaR and ES with their standard errors, scenarios from the worst, limits that are not within."""
    night = outcome.result
    print(f"As of {night.as_of}, accounts of {night.accounts_as_of}, {night.paths} paths, seed {night.seed}")
    print(f"Net asset value {_millions(night.nav_usd)}\n")
    print_table(("horizon", "level", "VaR", "ES"), [
        (f"{risk.horizon_days} d", f"{level:.1%}", f"{_millions(var)} ± {se_var / 1e6:.1f}",
         f"{_millions(es)} ± {se_es / 1e6:.1f}")
        for risk in night.baseline
        for tail in (risk.total,)
        for level, var, se_var, es, se_es in zip(
            tail.levels, tail.var, tail.se_var, tail.es, tail.se_es, strict=True)
    ])
    print_table(("scenario", "horizon", "expected P&L", "80% over parameters"), [
        (s.name, f"{s.horizon_days} d", _millions(s.expected_pnl_usd),
         f"{_millions(s.interval_usd[0])} … {_millions(s.interval_usd[1])}")
        for s in sorted(night.scenarios, key=lambda s: s.expected_pnl_usd)
    ])
    marked = [x for x in night.limits if x.status != "ok"]
    print_table(("limit", "name", "scope", "value", "warning", "hard", "unit"), [
        (x.status.upper(), x.name, x.scope, f"{x.value:,.0f}", f"{x.warning:,.0f}", f"{x.hard:,.0f}", x.unit)
        for x in marked
    ])
    within = len(night.limits) - len(marked)
    print(f"Limits: {within} of {len(night.limits)} within. Report: {outcome.folder / 'report.html'}")


def print_check(outcome: tuple[list[Problem], list[str]]) -> int:
    """What is in order goes to stdout, problems to stderr; returns the exit code."""
    problems, remarks = outcome
    for remark in remarks:
        print(remark)
    if not problems:
        print("no problems")
        return OK
    sys.stdout.flush()
    say(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
    for problem in problems:
        say(f"  {problem}")
    return ERROR


def print_records(records: Iterable[dict[str, Any]], as_json: bool, leave_out: Sequence[str] = ()) -> None:
    """A list of flat records, as a JSON array or as a table (one column per key, numbers shortened).

    leave_out : keys too wide for a table; the JSON has them.
    """
    rows = list(records)
    if as_json:
        import json

        print(json.dumps(rows, indent=1, default=str, ensure_ascii=False))
        return
    keys = list(dict.fromkeys(key for row in rows for key in row if key not in leave_out))
    print_table(keys, [[_cell(row.get(key)) for key in keys] for row in rows])


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns padded with spaces; nothing at all when there are no rows."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


def _millions(usd: float) -> str:
    return f"{usd / 1e6:,.1f} mn"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


class StageProgress:
    """A bar per stage on a terminal (stderr), nothing in a pipe; called as progress(stage, done, total)."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> StageProgress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description:<12}"), BarColumn(), TimeElapsedColumn())
            console = Console(stderr=True)
            self._bar = Progress(*columns, console=console, transient=True, redirect_stdout=False)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._bar is None or not stage:
            return
        if stage not in self._tasks:
            for other, task in self._tasks.items():
                if not self._bar.tasks[task].finished and self._bar.tasks[task].total is None:
                    self._bar.update(task, description=other, total=1, completed=1)
            self._tasks[stage] = self._bar.add_task(stage, total=total or None)
        if total:
            self._bar.update(self._tasks[stage], total=total, completed=done)
