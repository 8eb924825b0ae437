"""riskengine data: what is embedded and imported."""

from __future__ import annotations

import typer

from riskengine.cli.options import AsOfOption, JsonOption, style
from riskengine.cli.printing import print_records

data_app = typer.Typer(help="The data: embedded, imported, fetched.", **style)


@data_app.command("status")
def data_status(as_of: AsOfOption = None, as_json: JsonOption = False) -> None:
    """Every series with coverage, gaps and last observation."""
    from riskengine.data.catalog import default_as_of
    from riskengine.data.configs.nightly import check_day
    from riskengine.data.quality import series_status

    rows = series_status(check_day(as_of, "--as-of") if as_of else default_as_of())
    print_records(rows, as_json, leave_out=("panel", "source", "transformation", "licence"))
