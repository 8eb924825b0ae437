"""``riskengine desk``: the traders' what-if page in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from riskengine.cli.options import AsOfOption, ConfigOption, PortfolioOption, StoreOption


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command("desk")(desk)


def desk(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8050,
    host: Annotated[str, typer.Option(
        help="Address to listen on; any other than loopback needs the token in the printed link.")] = "127.0.0.1",
    portfolio: PortfolioOption = None,
    config: ConfigOption = None,
    as_of: AsOfOption = None,
    data: StoreOption = None,
    paths: Annotated[Optional[int], typer.Option(
        help="Paths of an answer at rest.", show_default="from the config")] = None,
    fast_paths: Annotated[Optional[int], typer.Option(
        help="Paths while a knob is dragged.", show_default="16384")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """What-if on a page: policy knobs, the chain, the book, before and after."""
    from riskengine.data.selection import check_folder
    from riskengine.workflows.desk import desk_server, open_rooms

    serve = desk_server()
    check_folder(data)
    serve(open_rooms(config, portfolio, as_of, data, paths, fast_paths), host, port, browser)
