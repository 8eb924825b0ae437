"""riskengine backtest: the court's commands."""

from __future__ import annotations

import typer

from riskengine.cli.options import AsOfOption, JsonOption, style
from riskengine.cli.printing import print_records

backtest_app = typer.Typer(help="Judge the models against what happened.", **style)


@backtest_app.command("coverage")
def backtest_coverage(as_of: AsOfOption = None, as_json: JsonOption = False) -> None:
    """Daily VaR coverage of the default model: exceptions, Kupiec test, traffic light."""
    from dataclasses import asdict

    from riskengine.data.configs.nightly import check_day
    from riskengine.workflows.backtest import run_coverage

    results = run_coverage(check_day(as_of, "--as-of") if as_of else None)
    rows = [{key: value for key, value in asdict(r).items() if key != "extra"} | r.extra for r in results]
    print_records(rows, as_json)
