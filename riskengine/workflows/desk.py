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
from riskengine.workflows.hedge import suggest_hedge
from riskengine.workflows.stress import reverse_stress
from riskengine.workflows.what_if import SessionPool, Setup, default_setup, with_paths

FAST_PATHS = 16_384
"""Paths that answer while a knob is dragged: the first of the same streams."""
KEPT_SESSIONS = 9


def open_rooms(
    config: Path | None = None, portfolio: Path | None = None, as_of: str | None = None, data: Path | None = None,
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
    few = min(2 * night.run.draws, fast)
    setups = {n: with_paths(setup, night.run, n) for n in (few, fast, full)}
    pool = SessionPool(executor or Threads(), KEPT_SESSIONS)

    def open_session(count: int, book: Portfolio | None) -> Session:
        return pool.session(setups[count], book)

    def load(name: str) -> Scenario:
        return edit_scenario(name, (), file.parent)

    day = open_session(fast, None).world.as_of

    def read(name: str, raw: bytes) -> Portfolio:
        with tempfile.TemporaryDirectory(prefix="riskengine-desk-") as folder:
            path = Path(folder) / "portfolio.csv"
            path.write_bytes(raw)
            try:
                book, _ = load_portfolio(path, day)
            except InputError as error:
                raise InputError([_renamed(p, name) for p in error.problems]) from None
        return Portfolio(book.as_of, book.positions, book.tag_names, name)

    return Rooms(
        open_session, load, read, tuple(scenario_headings(file.parent)), accepted_holders(), fast, full, few,
        tuple(_options(setup, config, portfolio)), _reverse, _hedge,
    )


def _reverse(session: Session, request: WhatIfRequest, table: Mapping[str, Any]) -> dict:
    """Reverse stress of the book as the page has it; table : lose, as text."""
    return reverse_stress(session, str(table.get("lose", ""))[:40], request=request)


def _hedge(session: Session, request: WhatIfRequest, table: Mapping[str, Any]) -> dict:
    """Hedge of the book as the page has it; table : instruments, as text."""
    return suggest_hedge(session, str(table.get("instruments", ""))[:300], request)


def desk_server() -> Callable[[Rooms, str, int, bool], None]:
    """The function that serves the page; InputError when the extra is not installed."""
    try:
        from riskengine.desk.app import serve
    except ImportError as error:
        if error.name is None or error.name.split(".")[0] not in ("dash", "dash_ag_grid", "flask", "werkzeug"):
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


