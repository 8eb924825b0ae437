"""What the desk gets from the workflows: sessions, scenarios, portfolios; and the books that users uploaded.

Nothing here belongs to a user.  Uploaded books are kept by the hash of their content: who does not know
the file does not know the hash, and what one page asks is never seen by another.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

from riskengine.base.errors import InputError, Problem, RiskEngineError
from riskengine.desk.knobs import knob_sets
from riskengine.desk.state import DeskState
from riskengine.instruments.portfolio import Portfolio
from riskengine.policy.scenario import Scenario
from riskengine.resident.request import WhatIfRequest
from riskengine.resident.session import Session

MOST_UPLOAD = 2_000_000
MOST_POSITIONS = 2_000
MOST_KEPT_BOOKS = 8
MOST_KEPT_SESSIONS = 9
BLANK = "blank"


@dataclass(slots=True)
class Rooms:
    """Doors of one running desk.

    open_session : (paths, uploaded portfolio or None) → session.  load_scenario : name → as filed.
    read_portfolio : (file name, bytes) → portfolio, through the door of files.
    headings : name, title, horizon, probability of every scenario.  holders : names a seller may have.
    fast_paths, full_paths : while dragging, and after.  chain : (session, request) → the chain alone,
    which depends on the parameter draws, not on the paths.  plausibility : the same of the dial alone,
    read off what the session holds.
    reverse, hedge : workflows, None where there are none.  command : options of the command line that
    lead to the same session.
    """

    open_session: Callable[[int, Portfolio | None], Session]
    load_scenario: Callable[[str], Scenario]
    read_portfolio: Callable[[str, bytes], Portfolio]
    headings: Sequence[Mapping[str, str]]
    holders: Sequence[str]
    fast_paths: int
    full_paths: int
    chain: Callable[[Session, WhatIfRequest], dict]
    plausibility: Callable[[Session, WhatIfRequest], dict | None]
    command: Sequence[str] = ()
    reverse: Callable[[Session, WhatIfRequest, Mapping[str, Any]], dict] | None = None
    hedge: Callable[[Session, WhatIfRequest, Mapping[str, Any]], dict] | None = None
    _uploaded: OrderedDict[str, Portfolio] = field(default_factory=OrderedDict)
    _sessions: OrderedDict[tuple[int, str | None], Session] = field(default_factory=OrderedDict)
    _held: set[tuple[str | None, int]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def session(self, paths: int, portfolio: str | None = None) -> Session:
        """The session of a book by the hash of its file (None: the book the desk was started with)."""
        with self._lock:
            key = (paths, portfolio)
            if key not in self._sessions:
                self._sessions[key] = self.open_session(paths, self._book(portfolio))
                while len(self._sessions) > MOST_KEPT_SESSIONS:
                    self._sessions.popitem(last=False)
            self._sessions.move_to_end(key)
            return self._sessions[key]

    def hold_fast(self, state: DeskState, days: int) -> None:
        """Hold the fast session of a book at a horizon on a thread of its own, so that the first drag
        does not wait.
        """
        key = (state.portfolio, days)
        with self._lock:
            if key in self._held or self.fast_paths == self.full_paths:
                return
            self._held.add(key)

        def hold() -> None:
            with suppress(RiskEngineError):  # whatever is wrong is told when it is asked for
                self.session(self.fast_paths, state.portfolio).answer(self.request(state, False))

        Thread(target=hold, daemon=True).start()

    def _book(self, portfolio: str | None) -> Portfolio | None:
        if portfolio is None:
            return None
        if portfolio not in self._uploaded:
            raise InputError(Problem("the desk does not hold this portfolio (any more)", field="portfolio",
                                     got=portfolio[:12], accepted="load the file again"))
        self._uploaded.move_to_end(portfolio)
        return self._uploaded[portfolio]

    def upload(self, name: str, raw: bytes) -> tuple[str, Portfolio]:
        """(hash, portfolio) of an uploaded CSV or Parquet file; InputError with every bad row."""
        if len(raw) > MOST_UPLOAD:
            raise InputError(Problem("the file is too large", got=f"{len(raw):,} bytes",
                                     accepted=f"at most {MOST_UPLOAD:,} bytes"))
        book = self.read_portfolio(name, raw)
        if len(book.positions) > MOST_POSITIONS:
            raise InputError(Problem("too many positions for the page", got=f"{len(book.positions):,}",
                                     accepted=f"at most {MOST_POSITIONS:,}; riskengine nightly takes more"))
        key = hashlib.sha256(raw).hexdigest()
        with self._lock:
            self._uploaded[key] = book
            while len(self._uploaded) > MOST_KEPT_BOOKS:
                self._uploaded.popitem(last=False)
        return key, book

    def scenario(self, state: DeskState) -> Scenario | None:
        """The scenario of a state as filed."""
        return None if state.scenario is None else self.load_scenario(state.scenario)

    def request(self, state: DeskState, detail: bool = True) -> WhatIfRequest:
        """The what-if a state asks; the same the command of :meth:`command_line` asks."""
        scenario = self.scenario(state)
        name = state.scenario or (BLANK if state.moves_policy else None)
        return WhatIfRequest(
            name, knob_sets(state, scenario), state.trades, dict(state.scale), state.remove, state.views,
            state.horizon if name is None else None, detail,
        )

    def command_line(self, request: WhatIfRequest, paths: int) -> list[str]:
        """Words of the command that prints the same answer."""
        words = ["riskengine", "what-if", *([request.scenario] if isinstance(request.scenario, str) else [])]
        for option, values in (("--set", request.sets), ("--trade", request.trades),
                               ("--scale", [f"{k}={v:.10g}" for k, v in request.scale.items()]),
                               ("--remove", request.remove), ("--view", request.views)):
            for value in values:
                words += [option, str(value)]
        if request.horizon is not None:
            words += ["--horizon", request.horizon]
        return [*words, "--paths", str(paths), *self.command]
