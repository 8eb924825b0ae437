"""What-if: from files and labels to a held session, and the Python door ``riskengine.what_if``.

:class:`Setup` names what an answer depends on besides the question.  :class:`SessionPool` keeps the worlds
and sessions of the last setups; a file that changed (configuration, portfolio, data store) gives a new one.
The resident process, the desk and a single command all ask the same pool, hence the same bits for the same
paths.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from threading import RLock
from typing import Any

from riskengine.base.errors import InputError, Problem, suggest
from riskengine.base.sampling import RunSpec
from riskengine.data.configs import config_root, find_config, load_limits, load_nightly_config
from riskengine.data.configs.nightly import check_accounts_choice, check_day
from riskengine.data.configs.scenario_edits import edit_scenario
from riskengine.data.kept_objects import kept, made_of
from riskengine.data.portfolios import load_portfolio
from riskengine.data.selection import use_store
from riskengine.execution import Executor, Threads
from riskengine.instruments.portfolio import Portfolio
from riskengine.policy.scenario import Scenario
from riskengine.resident.request import WhatIfRequest
from riskengine.resident.session import Session
from riskengine.resident.views import Weights
from riskengine.resident.what_if import Remember
from riskengine.workflows.build_world import kept_default_day, kept_world

KEPT_WORLDS = 2
KEPT_SESSIONS = 3
KEPT_DRAWS = 3
MOST_KEPT_PATHS = 131_072
"""Draws kept on disk: so many files, each of at most so many paths (0.6 kB a path)."""
MOST_PATHS = 2_000_896
"""Paths of a held session, half a kilobyte each: more are a night's work (``riskengine nightly``)."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Inputs of a session; None: what the configuration says.

    config, portfolio : absolute paths as text.  as_of : ISO.  accounts : as_of, latest or a date.
    data, data_version : folder of the data store and an earlier version of it.
    """

    config: str | None = None
    portfolio: str | None = None
    as_of: str | None = None
    accounts: str | None = None
    paths: int | None = None
    seed: int | None = None
    data: str | None = None
    data_version: str | None = None

    @classmethod
    def from_json(cls, table: object) -> Setup:
        """A setup from plain JSON; InputError for unknown keys and wrong types."""
        if not isinstance(table, Mapping):
            raise InputError(Problem("a setup is an object", got=type(table).__name__))
        known = tuple(f.name for f in fields(cls))
        problems = [Problem("unknown key", field=str(k), accepted=suggest(str(k), known))
                    for k in table if k not in known]
        for name, value in table.items():
            kind = int if name in ("paths", "seed") else str
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                problems.append(Problem(f"must be {'a whole number' if kind is int else 'a text'}",
                                        field=str(name),
                                        got=repr(value)[:60]))
        if problems:
            raise InputError(problems)
        return cls(**table)


class SessionPool:
    """Sessions by setup, the least recently used leaves first; safe to share between threads."""

    def __init__(self, executor: Executor | None = None, kept: int = KEPT_SESSIONS):
        self.executor = executor or Threads()
        self._most = kept
        self._worlds: OrderedDict[tuple, Any] = OrderedDict()
        self._sessions: OrderedDict[tuple, Session] = OrderedDict()
        self._lock = RLock()
        made_of()  # of the program as it is loaded, not as somebody has edited it since

    def session(self, setup: Setup = Setup(), portfolio: Portfolio | None = None) -> Session:
        """The session of a setup; *portfolio*: positions already read (then the setup's file is not).

        Raises
        ------
        InputError : every problem of configuration, portfolio, dates and paths at once.
        """
        with self._lock, use_store(setup.data, setup.data_version) as store:
            file = find_config(Path(setup.config) if setup.config else None)
            night = load_nightly_config(Path(setup.config) if setup.config else None)
            day = setup.as_of or night.as_of or kept_default_day()
            accounts = setup.accounts or night.accounts
            if setup.as_of is not None:
                check_day(setup.as_of, "--as-of")
            if setup.accounts is not None:
                check_accounts_choice(setup.accounts, "--accounts")
            if setup.paths is not None and setup.paths > MOST_PATHS:
                raise InputError(Problem("too many paths to hold in memory", field="--paths",
                                         got=f"{setup.paths:,}", accepted=f"at most {MOST_PATHS:,}"))
            changes = {k: v for k, v in (("paths", setup.paths), ("seed", setup.seed)) if v is not None}
            spec = replace(night.run, **changes)
            book_file = Path(setup.portfolio) if setup.portfolio else Path(night.portfolio)
            inputs = _hash(_inputs(file))
            world_key = (day, accounts, str(store.folder), store.version, inputs)
            book_key: object = portfolio if portfolio is not None else (
                str(book_file), _hash([book_file]), _hash([Path(night.limits)]))
            key = (world_key, spec, book_key)
            if key not in self._sessions:
                world = self._world(world_key, lambda: kept_world(day, accounts, inputs))
                book = portfolio if portfolio is not None else load_portfolio(book_file, day)[0]
                self._sessions[key] = Session(
                    world, book, spec, load_scenario=scenario_loader(file.parent), executor=self.executor,
                    data_version=store.version, limits=load_limits(night.limits),
                    reweigh=_reweigh, remember=_memory(world_key, spec, book_key, portfolio is None),
                )
                _trim(self._sessions, self._most)
            self._sessions.move_to_end(key)
            return self._sessions[key]

    def answer(self, setup: Setup, requests: Sequence[WhatIfRequest]) -> list[dict]:
        """One answer per request."""
        session = self.session(setup)
        return [session.answer(request) for request in requests]

    def _world(self, key: tuple, make: Callable[[], Any]) -> Any:
        if key not in self._worlds:
            self._worlds[key] = make()
            _trim(self._worlds, KEPT_WORLDS)
        self._worlds.move_to_end(key)
        return self._worlds[key]

    @property
    def held(self) -> list[str]:
        """What is held, for the status."""
        return [f"{s.portfolio.source or 'a portfolio'} at {s.world.as_of}, {s.spec.paths:,} paths, data "
                f"{s.data_version[:12]}" for s in self._sessions.values()]


def scenario_loader(beside: Path) -> Callable[[str | Scenario, tuple[str, ...]], Scenario]:
    """The loader of a session: names and files, looked up beside the configuration first, with knobs."""
    return lambda scenario, sets: edit_scenario(scenario, sets, beside)


def _memory(world_key: tuple, spec: RunSpec, book_key: object, filed: bool) -> Remember:
    """The session's memory on disk: draws by world and specification, limits by the files of the book as well.

    filed : the book is a file's, hence known by its hash.
    """
    def remember(what: str, key: object, make: Callable[[], Any]) -> Any:
        draws = what == "draws"
        if (draws and spec.paths > MOST_KEPT_PATHS) or not (draws or filed):
            return make()
        known = (made_of(), world_key, spec, None if draws else book_key, key)
        return kept(what, repr(known), make, KEPT_DRAWS if draws else 8)

    return remember


def _reweigh(*question: Any) -> Weights:
    """Weights of views; their solver is loaded when somebody has a view (half a second)."""
    from riskengine.workflows.views import reweigh_by_views

    return reweigh_by_views(*question)


def open_session(
    setup: Setup = Setup(), portfolio: Portfolio | None = None, executor: Executor | None = None
) -> Session:
    """One session of its own (the desk, a notebook)."""
    return SessionPool(executor).session(setup, portfolio)


def absolute(path: Path | str | None) -> str | None:
    """A path as the resident process must see it, whose working folder is another."""
    return None if path is None else str(Path(path).absolute())


def default_setup(config: Path | None = None, portfolio: Path | None = None, **labels: Any) -> Setup:
    """The setup of a command line standing in this folder."""
    return Setup(config=absolute(find_config(config)), portfolio=absolute(portfolio), **labels)


def with_paths(setup: Setup, spec: RunSpec, paths: int) -> Setup:
    """The same setup on the first *paths* paths; InputError unless a multiple of the draws."""
    replace(spec, paths=paths)
    return replace(setup, paths=paths)


def _inputs(config: Path) -> list[Path]:
    """Configuration the world depends on: every TOML and CSV but scenarios, portfolios and limits."""
    root = config_root()
    files = [f for f in sorted(root.rglob("*")) if f.is_file() and f.suffix in {".toml", ".csv"}
             and not {"portfolios", "scenarios", "starter"} & set(f.relative_to(root).parts)]
    return [*files, config]


def _hash(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        if not file.is_file():
            continue  # whoever reads it says what is missing
        digest.update(str(file).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _trim(store: OrderedDict, most: int) -> None:
    while len(store) > most:
        store.popitem(last=False)
