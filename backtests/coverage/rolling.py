"""Year after year without look-ahead: what each model would have said the evening before.

A part is one panel and one calendar year: parameters from moves before the year, filters run through it.
Parts do not depend on each other, so they are computed in parallel, and each is kept on disk under the hash
of the moves up to the end of its year, the weights, the models and the code.  A run that was killed goes on
with the parts that are missing; the next evening only the current year is computed again.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, fields
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from backtests.coverage.books import NIGHT_YIELDS, TENORS, Book, Holdings, Moves
from backtests.coverage.models import MODELS, Year, YearForecast, forecast_year
from factors.definitions import CORRELATION_HALF_LIFE, DEFAULT_EWMA_DECAY, MAX_PERSISTENCE
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.data.artefacts import cache_folder
from riskengine.data.run_files import hash_files
from riskengine.execution import available_cores

MIN_HISTORY_DAYS = 1000
"""Moves before the first year that is forecast."""
SYMMETRIC = (*TENORS, *NIGHT_YIELDS)
"""Columns of panels whose variance has no GJR term, as in the engine (factors.definitions.ASYMMETRIC)."""
FEW_PARTS = 3
"""Missing parts not worth starting processes for."""
KEPT_VERSIONS = 3
"""Parts of the same panel and year kept on disk, for other as-of dates, data and models."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Daily:
    """One model on one book, every day forecast: dates, pnl, pit (N,); var, es, high (N, L); tail (N, L,
    K)."""

    book: Book
    model: str
    levels: tuple[float, ...]
    dates: np.ndarray
    pnl: np.ndarray
    var: np.ndarray
    es: np.ndarray
    high: np.ndarray
    pit: np.ndarray
    tail: np.ndarray


@dataclass(frozen=True, slots=True)
class Part:
    """One panel, one year: what a worker needs.  rows : of the panel's days in the year."""

    panel: Moves
    number: int
    rows: slice
    year: Year
    models: tuple[str, ...]

    @property
    def name(self) -> str:
        """File name without folder: panel, year, and the hash of everything the part depends on."""
        digest = hashlib.sha256(_code().encode())
        digest.update(repr((self.panel.labels, self.models, self.year.levels)).encode())
        for array in (self.panel.dates[:self.rows.stop].astype(np.int64), self.year.x, self.year.weights):
            digest.update(np.ascontiguousarray(array).tobytes())
        return f"{self.panel.name.replace(' ', '_')}-{self.number}-{digest.hexdigest()[:20]}.npz"


def check_models(models: tuple[str, ...] | None) -> tuple[str, ...]:
    """The models asked for, all when None; InputError naming unknown ones."""
    chosen = tuple(dict.fromkeys(models or MODELS))
    wrong = [m for m in chosen if m not in MODELS]
    if wrong:
        raise InputError([Problem("unknown model", field="models", got=repr(m), accepted=suggest(m, MODELS))
                          for m in wrong])
    return chosen


def check_levels(levels: tuple[float, ...]) -> tuple[float, ...]:
    """Levels of VaR and ES; InputError unless each lies in [.9, .999] and none comes twice."""
    wrong = [x for x in levels if not 0.9 <= x <= 0.999] or ([] if levels else [None])
    if wrong or len(set(levels)) != len(levels):
        raise InputError(Problem("levels of VaR and ES", field="level", got=", ".join(map(str, levels)),
                                 accepted="different numbers between 0.9 and 0.999, e.g. .99,.975"))
    return tuple(float(x) for x in levels)


def plan(holdings: Holdings, first_year: int | None, models: tuple[str, ...], levels: tuple[float, ...]
         ) -> list[Part]:
    """Parts in calendar order; InputError when no year has enough history before it."""
    parts = []
    for panel in holdings.panels.values():
        weights = np.array([b.weights for b in holdings.books if b.panel == panel.name])
        years = panel.dates.astype("datetime64[Y]").astype(int) + 1970
        for number in np.unique(years):
            past, stop = int((years < number).sum()), int((years <= number).sum())
            if past < MIN_HISTORY_DAYS or (first_year is not None and number < first_year):
                continue
            year = Year(panel.values[:stop], past, weights, levels)
            parts.append(Part(panel, int(number), slice(past, stop), year, models))
    if not parts:
        raise InputError(Problem("too little history before the first year to cover", field="from",
                                 got=str(first_year),
                                 accepted=f"a year after {MIN_HISTORY_DAYS} days of data"))
    return sorted(parts, key=lambda p: p.number)


def forecast_daily(holdings: Holdings, first_year: int | None = None, models: tuple[str, ...] | None = None,
                   levels: tuple[float, ...] = (0.99, 0.975), workers: int | None = None, resume: bool = True,
                   progress: Progress | None = None, folder: Path | None = None) -> list[Daily]:
    """Out-of-sample forecasts of every book by every model.

    first_year : of forecasts, None = the first with MIN_HISTORY_DAYS before it.  workers : processes, None =
    all cores.  resume : False computes parts again that are on disk.  progress : called as (stage, done,
    total).
    folder : of the parts, None = ``coverage`` in the user's cache.
    """
    models, levels = check_models(models), check_levels(levels)
    parts = plan(holdings, first_year, models, levels)
    place = cache_folder() / "coverage" if folder is None else folder
    done: dict[tuple[str, int], dict[str, YearForecast]] = {}
    missing = []
    for part in parts:
        kept = _read(place / part.name, part.models) if resume else None
        if kept is None:
            missing.append(part)
        else:
            done[part.panel.name, part.number] = kept
    say = progress or (lambda *_: None)
    say("forecasts", len(done), len(parts))
    for part, forecast in _compute(missing, workers):
        done[part.panel.name, part.number] = forecast
        _write(place, part, forecast)
        say("forecasts", len(done), len(parts))
    return _join(holdings, parts, done, models, levels)


def _compute(parts: list[Part], workers: int | None) -> Iterator[tuple[Part, dict[str, YearForecast]]]:
    count = available_cores() if workers is None else workers
    if count <= 1 or len(parts) <= FEW_PARTS:
        for part in parts:
            yield part, compute_part(part)
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(compute_part, part): part for part in reversed(parts)}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def compute_part(part: Part) -> dict[str, YearForecast]:
    """Forecasts of one part by model: the task of a worker."""
    return forecast_year(part.panel, part.year, part.models, SYMMETRIC)


def _join(holdings: Holdings, parts: list[Part], done: dict, models: tuple[str, ...],
          levels: tuple[float, ...]) -> list[Daily]:
    out = []
    for panel in holdings.panels.values():
        mine = [p for p in parts if p.panel.name == panel.name]
        if not mine:
            continue
        rows = np.concatenate([np.arange(p.rows.start, p.rows.stop) for p in mine])
        books = [b for b in holdings.books if b.panel == panel.name]
        for model in models:
            years = [done[panel.name, p.number][model] for p in mine]
            for i, book in enumerate(books):
                joined = {f.name: np.concatenate([getattr(y, f.name)[i] for y in years])
                          for f in fields(YearForecast)}
                out.append(Daily(book=book, model=model, levels=levels, dates=panel.dates[rows],
                                 pnl=panel.values[rows] @ np.array(book.weights), **joined))
    return out


# ------------------------------------------------------------------------------------------------- on disk
_hash: list[str] = []


def _code() -> str:
    """Hash of the code that forecasts depend on."""
    if not _hash:
        here = Path(__file__).resolve().parent
        factors = here.parents[1] / "factors"
        constants = repr((CORRELATION_HALF_LIFE, DEFAULT_EWMA_DECAY, MAX_PERSISTENCE, SYMMETRIC))
        _hash.append(constants + hash_files([here / "models.py", *(
            factors / f"{n}.py" for n in ("covariance", "garch_likelihood", "residuals", "tails",
                                          "volatility"))]))
    return _hash[0]


def _write(folder: Path, part: Part, forecast: dict[str, YearForecast]) -> None:
    """Keep a part; a folder that cannot be written costs the next run its time, nothing else."""
    arrays = {f"{model}.{f.name}": getattr(y, f.name) for model, y in forecast.items()
              for f in fields(YearForecast)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{part.name}.{os.getpid()}.partial"
        partial.write_bytes(buffer.getvalue())
        partial.replace(folder / part.name)
        same = sorted(folder.glob(f"{part.name.rsplit('-', 1)[0]}-*.npz"), key=lambda p: p.stat().st_mtime)
        for old in same[:-KEPT_VERSIONS]:
            old.unlink(missing_ok=True)
    except OSError:
        return


def _read(path: Path, models: tuple[str, ...]) -> dict[str, YearForecast] | None:
    """A part from disk; None when it is not there or not whole."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {m: YearForecast(**{f.name: stored[f"{m}.{f.name}"] for f in fields(YearForecast)})
                    for m in models}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
