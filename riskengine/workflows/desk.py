"""Starts the desk: sessions, scenarios and portfolios for the page of ``riskengine.desk``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from riskengine.base.errors import InputError, Problem
from riskengine.data.configs import find_config, load_nightly_config
from riskengine.data.configs.fields import accepted_holders
from riskengine.data.configs.folders import scenario_headings
from riskengine.data.configs.scenario_edits import edit_scenario
from riskengine.data.portfolios import load_portfolio
from riskengine.desk.rooms import Rooms
from riskengine.execution import Executor, Threads
from riskengine.instruments.portfolio import Portfolio
from riskengine.policy.scenario import Scenario
from riskengine.resident.request import WhatIfRequest
from riskengine.resident.session import Session
from riskengine.workflows.chain import ChainReader
from riskengine.workflows.hedge import suggest_hedge
from riskengine.workflows.stress import reverse_stress
from riskengine.workflows.what_if import SessionPool, Setup, default_setup, with_paths

FAST_PATHS = 16_384
"""Paths that answer while a knob is dragged: the first of the same streams."""
KEPT_SESSIONS = 9
PARQUET = b"PAR1"
MOST_ROWS, MOST_COLUMNS, MOST_CELL = 10_000, 200, 1_000
"""Of an uploaded Parquet file, which says in few bytes what is many: rows, columns, characters of a cell."""


def open_rooms(
    config: Path | None = None, portfolio: Path | None = None, as_of: str | None = None,
    data: Path | None = None,
    paths: int | None = None, fast_paths: int | None = None, executor: Executor | None = None,
) -> Rooms:
    """Everything the page needs; the book and the configuration are read, so that a wrong one is said now.

    Raises
    ------
    InputError : every problem of configuration, portfolio, dates and paths.
    """
    file = find_config(config)
    night = load_nightly_config(config)
    setup = default_setup(config, portfolio, as_of=as_of, data=None if data is None else str(data.absolute()))
    full = paths or night.run.paths
    fast = min(fast_paths or FAST_PATHS, full)
    setups = {n: with_paths(setup, night.run, n) for n in (fast, full)}
    chains = ChainReader(file.parent)
    pool = SessionPool(executor or Threads(), KEPT_SESSIONS)

    def open_session(count: int, book: Portfolio | None) -> Session:
        return pool.session(setups[count], book)

    def load(name: str) -> Scenario:
        return edit_scenario(name, (), file.parent)

    day = open_session(fast, None).world.as_of

    def read(name: str, raw: bytes) -> Portfolio:
        with tempfile.TemporaryDirectory(prefix="riskengine-desk-") as folder:
            is_parquet = raw[:4] == PARQUET or name.lower().endswith((".parquet", ".pq"))
            path = Path(folder) / ("portfolio.parquet" if is_parquet else "portfolio.csv")
            path.write_bytes(raw)
            try:
                if is_parquet:
                    check_parquet(path)
                book, _ = load_portfolio(path, day)
            except InputError as error:
                raise InputError([_renamed(p, name) for p in error.problems]) from None
        return Portfolio(book.as_of, book.positions, book.tag_names, name)

    return Rooms(
        open_session, load, read, tuple(scenario_headings(file.parent)), accepted_holders(), fast, full,
        chains.chain, chains.plausibility, tuple(_options(setup, config, portfolio)), _reverse, _hedge,
    )


def _reverse(session: Session, request: WhatIfRequest, table: Mapping[str, Any]) -> dict:
    """Reverse stress of the book as the page has it; table : lose, as text; desk, or none for the whole
    book.
    """
    desk = table.get("desk")
    return reverse_stress(session, str(table.get("lose", ""))[:40], str(desk)[:200] if desk else None,
                          request=request)


def _hedge(session: Session, request: WhatIfRequest, table: Mapping[str, Any]) -> dict:
    """Hedge of the book as the page has it; table : instruments, as text."""
    return suggest_hedge(session, str(table.get("instruments", ""))[:300], request)


def check_parquet(path: Path) -> None:
    """Refuse a Parquet file that is broken or holds far more than its bytes; InputError with what is
    accepted.
    """
    import polars

    try:
        lazy = polars.scan_parquet(path)
        schema = lazy.collect_schema()
        size = {"rows": int(lazy.select(polars.len()).collect().item()), "columns": len(schema)}
        problems = [Problem(f"too many {what}", path.name, got=f"{size[what]:,}",
                            accepted=f"at most {most:,}")
                    for what, most in (("rows", MOST_ROWS), ("columns", MOST_COLUMNS)) if size[what] > most]
        problems += [Problem("a column of this type is no column of a portfolio", path.name,
                             field=column[:40], got=str(kind)[:40], accepted="texts, numbers, dates")
                     for column, kind in schema.items()
                     if kind.is_nested() or kind in (polars.Binary, polars.Object)]
        if problems:
            raise InputError(problems)
        found = lazy.collect()  # numbers and dates, and texts whose bytes are in the file once
        texts = found.select(polars.selectors.string().str.len_chars().max())
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError) as error:
        raise InputError(Problem("not a Parquet file", path.name,
                                 got=str(error).splitlines()[0][:120])) from None
    longest = max((x for row in texts.rows() for x in row if x is not None), default=0)
    if longest > MOST_CELL:
        raise InputError(Problem("a cell is too long", path.name, got=f"{longest:,} characters",
                                 accepted=f"at most {MOST_CELL:,}"))


def desk_server() -> Callable[[Rooms, str, int, bool], None]:
    """The function that serves the page; InputError when the extra is not installed."""
    try:
        from riskengine.desk.app import serve
    except ImportError as error:
        extra = ("dash", "dash_ag_grid", "flask", "werkzeug")
        if error.name is None or error.name.split(".")[0] not in extra:
            raise
        raise InputError(Problem("the desk needs dash and dash-ag-grid",
                                 accepted="pip install 'riskengine[desk]'")) from None
    return serve


def _renamed(problem: Problem, name: str) -> Problem:
    return Problem(problem.rule, name, problem.row, problem.field, problem.got, problem.accepted)


def _options(setup: Setup, config: Path | None, portfolio: Path | None) -> list[str]:
    """Options the command line needs beyond the question."""
    words: list[Any] = []
    for option, value in (("--config", config), ("--portfolio", portfolio), ("--as-of", setup.as_of),
                          ("--data", setup.data)):
        if value is not None:
            words += [option, str(value)]
    return words


