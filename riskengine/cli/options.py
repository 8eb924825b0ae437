"""Options and styles that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

style: dict[str, Any] = {"rich_markup_mode": None, "no_args_is_help": True}
ConfigOption = Annotated[Optional[Path], typer.Option(
    "--config", help="Nightly config, file or folder.",
    show_default="configs/nightly.toml here, else the shipped one")]
PortfolioOption = Annotated[Optional[Path], typer.Option("--portfolio", help="Portfolio CSV or Parquet.")]
AsOfOption = Annotated[Optional[str], typer.Option("--as-of", help="YYYY-MM-DD; nothing after it is used.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
StoreOption = Annotated[Optional[Path], typer.Option(
    "--data", metavar="DIR", help="Folder of the data store.",
    show_default="$RISKENGINE_DATA, else the user's data folder")]
VersionOption = Annotated[Optional[str], typer.Option(
    "--data-version", metavar="HEX", help="An earlier version of the data store (riskengine data versions).",
    show_default="the newest")]
AccountsOption = Annotated[Optional[str], typer.Option(
    "--accounts", help="External accounts: as_of, latest, or YYYY-MM-DD.", show_default="from the config")]
PathsOption = Annotated[Optional[int], typer.Option(
    "--paths", help="Monte Carlo paths.", show_default="from the config")]
ResidentOption = Annotated[bool, typer.Option(
    "--resident/--no-resident", help="Ask the resident process (started on demand), or answer here.")]
