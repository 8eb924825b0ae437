"""riskengine estimate: the laboratory's command."""

from __future__ import annotations

import typer

from riskengine.cli.options import AsOfOption, JsonOption, style
from riskengine.cli.printing import print_records

estimate_app = typer.Typer(
    help="Estimate the factor models and every sensitivity.",
    **{**style, "no_args_is_help": False, "invoke_without_command": True})


@estimate_app.callback()
def estimate(context: typer.Context, as_of: AsOfOption = None, as_json: JsonOption = False) -> None:
    """Estimate the factor models and print every coefficient with its standard error."""
    if context.invoked_subcommand is not None:
        return
    from riskengine.data.configs.nightly import check_day
    from riskengine.workflows.estimate import run_estimate

    result = run_estimate(check_day(as_of, "--as-of") if as_of else None)
    print_records(result.rows, as_json)
