"""riskengine backtest: the court's commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from riskengine.cli.options import AsOfOption, JsonOption, style
from riskengine.cli.printing import StageProgress, print_table

if TYPE_CHECKING:
    from riskengine.coverage_result import CoverageReport

backtest_app = typer.Typer(help="Judge the models against what happened.", **style)


@backtest_app.command("coverage")
def backtest_coverage(
    as_of: AsOfOption = None,
    data: Annotated[Optional[Path], typer.Option("--data", help="Folder of imported series.")] = None,
    from_year: Annotated[Optional[int], typer.Option(
        "--from", help="First year forecast.", show_default="as early as the data allow")] = None,
    models: Annotated[str, typer.Option("--models", help="Comma-separated names.", show_default="all")] = "",
    books: Annotated[str, typer.Option(
        "--books", help="Comma-separated books or asset classes.", show_default="all")] = "",
    level: Annotated[str, typer.Option("--level", help="Levels of VaR and ES.")] = ".99,.975",
    resume: Annotated[bool, typer.Option(
        "--resume/--fresh", help="Use what earlier runs left on disk, or compute everything again.")] = True,
    out: Annotated[Optional[Path], typer.Option(
        "--out", help="Folder for coverage.json and coverage_daily.parquet.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Daily VaR and ES over decades: does each model cover what happened, and which is best?

    Fixed books by asset class and in total, parameters estimated yearly on earlier data only, filters run daily.
    An interrupted run goes on where it was.
    """
    from riskengine.data.configs.nightly import check_day
    from riskengine.workflows.backtest import run_coverage

    levels = _numbers(level)
    if data is not None:
        from riskengine.data.selection import select_store

        select_store(data)
    with StageProgress() as progress:
        report = run_coverage(check_day(as_of, "--as-of") if as_of else None, from_year, _names(models),
                              _names(books), levels, resume, out, progress=progress)
    if as_json:
        import json
        from dataclasses import asdict

        from riskengine.data.run_files import plain

        print(json.dumps(plain(asdict(report)), indent=1, ensure_ascii=False, allow_nan=False))
        return
    _print_report(report)
    if out is not None:
        print(f"Written to {out}: coverage.json, coverage_daily.parquet")


def _names(text: str) -> tuple[str, ...] | None:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    return names or None


def _numbers(text: str) -> tuple[float, ...]:
    from riskengine.base.errors import InputError, Problem

    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(Problem("levels of VaR and ES", field="--level", got=text,
                                 accepted="numbers between 0.9 and 0.999 with commas, e.g. .99,.975")) from None


def _print_report(report: CoverageReport) -> None:
    """Cells at the first level, winners by asset class, the conclusion."""
    level = report.levels[0]
    print(f"One-day VaR and ES as of {report.as_of}, data {report.data_version[:12]}; {level:.1%} below, FZ0 "
          f"difference to {report.default_model} (negative = better)\n")
    print_table(
        ("book", "model", "from", "exceptions", "expected", "Kupiec", "Markov", "duration", "Z1", "Z2",
         "light", "days red", "most/250", "FZ0 diff.", "DM t"),
        [(c.book, c.model, c.first[:4], str(c.exceptions), f"{c.expected:.1f}", _p(c.kupiec_p),
          _p(c.christoffersen_p), _p(c.duration_p), _p(c.z1_p), _p(c.z2_p), c.traffic_light,
          f"{c.days_red:.1%}", str(c.most_in_250_days), f"{c.fz0_difference:+.4f}",
          "" if c.dm_t != c.dm_t else f"{c.dm_t:+.1f}")
         for c in report.cells if c.level == level])
    for w_level in report.levels:
        rows = [w for w in report.winners if w.level == w_level]
        print_table(
            (f"{w_level:.1%} FZ0 difference", "winner", *report.models),
            [(f"{w.asset_class} ({w.books})", w.winner, *(f"{w.fz0_difference[m]:+.4f}" for m in report.models))
             for w in rows])
    for sentence in report.conclusion:
        print(sentence)


def _p(value: float) -> str:
    """A p-value with a star below 5% and two below 1%."""
    if value != value:
        return ""
    return f"{value:.3f}" + ("**" if value < 0.01 else "*" if value < 0.05 else "")
