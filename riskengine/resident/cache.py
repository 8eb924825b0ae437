"""Cached draws of a horizon: noise of every factor, fixings, parameter draws; and P&L rows computed from
them.

    full         x = A n + μ_d, the legs revalued, each row rounded to float32 as the engine does
    delta_gamma  the quadratic of ``expansion`` in float32

The noise cache loses nothing in full mode (float32 where the engine's noise is exactly float32: one step of
float32 draws; else float64) and is float32 in delta-gamma mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.sampling import Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.execution import Executor, Serial
from riskengine.factor_model import FactorModel
from riskengine.kernels.paths import TILE as NOISE_TILE
from riskengine.kernels.resident import TILE, CachedMoves, Quadratic, Totals, add_rows, revalue_quadratic
from riskengine.kernels.resident_full import FullBook, FullMoves, WrittenRows, revalue_full as revalue_tiles
from riskengine.resident.memory import STORE
from riskengine.resident.positions import Fixing, PartialBook
from riskengine.simulation import draw_of_path, simulate_noise

CHUNK_PATHS = 8_400
"""About the most paths per task of a revaluation; no result depends on it."""
LIGHT_PATHS = 26_000
"""The same where there is little work on a path: one group and a sum over rows."""
LIGHT_WORK = 600_000
"""Values of rows read or written up to which the calling thread is done sooner than another has woken up."""
SERIAL = Serial()
ROW_GAP = 48
"""float32 between neighbouring rows of P&L, so that they do not lie a power of two apart."""


@dataclass(frozen=True, slots=True)
class DrawCache:
    """What every revaluation reads; arrays are never written after construction.

    noise : (K, P) float32 or float64, accumulated to the horizon.  fixings : fixing → (P,) of the same type.
    draw : (P,) int32.  scale : (K,) float32 that multiplies the noise (delta-gamma mode; else ones).
    """

    noise: np.ndarray
    fixings: dict[Fixing, np.ndarray]
    draw: np.ndarray
    scale: np.ndarray

    @property
    def paths(self) -> int:
        return self.noise.shape[1]


@dataclass(frozen=True, slots=True)
class Response:
    """A scenario at the horizon: mean by draw, and what pinning does to the noise.

    end : (K, D) float64.  at_fixings : fixing → (D,).  noise_map : (K, K) or None.  carry : fixing → (K,),
    with pins.
    """

    end: np.ndarray
    at_fixings: dict[Fixing, np.ndarray]
    noise_map: np.ndarray | None
    carry: dict[Fixing, np.ndarray]


def draw_cache(
    model: FactorModel, horizon: Horizon, spec: RunSpec, fixings: Sequence[Fixing], exact: bool,
    executor: Executor, draw: np.ndarray | None = None,
) -> DrawCache:
    """Simulate all paths once.  *exact*: the cache loses nothing against the engine's float64 noise.  *draw*:
    the parameter draw of each path, when the caller has it."""
    lossless = horizon.steps == 1 and spec.precision == "float32"
    real = np.float64 if exact and not lossless else np.float32
    noise = STORE.empty(len(FACTORS), spec.paths, real)
    rows = {f: np.empty(spec.paths, dtype=real) for f in fixings}

    def simulate(chunk: Chunk) -> None:
        _, fixed = simulate_noise(model, horizon, spec, chunk, tuple(fixings), noise[:, chunk.lo : chunk.hi])
        for row, values in zip(rows.values(), fixed, strict=True):
            row[chunk.lo : chunk.hi] = values

    executor.map(simulate, chunks_of(spec.paths, NOISE_TILE))
    draw = draw_of_path(spec, 0, spec.paths) if draw is None else draw
    return DrawCache(noise, rows, draw, np.ones(len(FACTORS), dtype=np.float32))


def add_fixings(
    cache: DrawCache, missing: Sequence[Fixing], model: FactorModel, horizon: Horizon, spec: RunSpec,
    executor: Executor,
) -> DrawCache:
    """The cache with more fixings: the same streams again, for steps before the horizon only."""
    rows = dict(cache.fixings)
    early = []
    for k, step in missing:
        if step == horizon.steps - 1:
            rows[k, step] = cache.noise[k]
        else:
            early.append((k, step))
            rows[k, step] = np.empty(spec.paths, dtype=cache.noise.dtype)

    def simulate(chunk: Chunk) -> None:
        _, fixed = simulate_noise(model, horizon, spec, chunk, early)
        for fixing, values in zip(early, fixed, strict=True):
            rows[fixing][chunk.lo : chunk.hi] = values

    if early:
        executor.map(simulate, chunks_of(spec.paths, NOISE_TILE))
    return replace(cache, fixings=rows)


def chunks_of(paths: int, tile: int = TILE, most: int = CHUNK_PATHS) -> list[Chunk]:
    """0 … P cut into an even number of nearly equal tasks of about *most* paths, whole tiles each."""
    tasks = -(-paths // most)
    tasks += tasks % 2
    size = -(-paths // (tasks * tile)) * tile
    return [Chunk(lo, min(lo + size, paths)) for lo in range(0, paths, size)]


# ---------------------------------------------------------------- P&L rows
class RowBlock(NamedTuple):
    """P&L of some groups: rows, G float32 vectors (P,), read-only; where, (G,) uint64, their addresses.

    peak : USD, no |P&L| of a row is larger; infinite where it was not looked at.
    """

    rows: tuple[np.ndarray, ...]
    where: np.ndarray
    peak: float = math.inf


NO_ROWS = RowBlock((), np.empty(0, dtype=np.uint64), 0.0)


class Sum(NamedTuple):
    """Where a total goes, (P,) float64, and what it is the sum of: the rows revalued, and

    around : addresses of the rows revalued → addresses of all rows of the book, in their order; or
    base, gone : the total of another book, less the rows at the addresses *gone* (exact sums only); or
    nothing.
    """

    total: np.ndarray
    around: Callable[[np.ndarray], np.ndarray] | None = None
    base: np.ndarray = np.empty(0)
    gone: np.ndarray = NO_ROWS.where


def revalue_full(
    book: PartialBook, cache: DrawCache, response: Response | None, executor: Executor, into: Sum
) -> RowBlock:
    """One row per group of *book*: full revaluation, the engine's operations in the engine's order."""
    moves, legs = _full_moves(book, cache, response), FullBook(book.arrays, book.nodes)
    block, total = _new_block(len(book.arrays.constant), cache.paths), into.total
    if into.around is None:
        out = WrittenRows(block.where, total)
        executor.map(lambda c: revalue_tiles(moves, legs, c.lo, c.hi, out), chunks_of(cache.paths))
    else:
        out, every = WrittenRows(block.where, np.empty(0)), into.around(block.where)

        def update(chunk: Chunk) -> None:
            revalue_tiles(moves, legs, chunk.lo, chunk.hi, out)
            add_rows(every, chunk.lo, chunk.hi, total)

        executor.map(update, chunks_of(cache.paths, most=LIGHT_PATHS))
    total.flags.writeable = False
    return block


def revalue_by_expansion(
    used: np.ndarray, book: Quadratic, cache: DrawCache, response: Response | None, executor: Executor,
    into: Sum,
) -> RowBlock:
    """One row per group of *book*: delta-gamma."""
    moves = _cached_moves(used, cache, response)
    block = _new_block(len(book.constant), cache.paths)
    totals = Totals(into.total, into.base, into.gone)
    light = (len(block.rows) + len(into.gone)) * cache.paths <= LIGHT_WORK
    chunks = chunks_of(cache.paths, most=cache.paths if light else CHUNK_PATHS)
    peaks = (SERIAL if light else executor).map(
        lambda c: revalue_quadratic(moves, book, c.lo, c.hi, block.where, totals), chunks)
    into.total.flags.writeable = False
    return block._replace(peak=float(max(peaks)))


def _new_block(groups: int, paths: int) -> RowBlock:
    """Rows still to be written, of one block of memory."""
    block = STORE.empty(groups, paths + ROW_GAP, np.float32)
    where = _address(block) + block.strides[0] * np.arange(groups, dtype=np.uint64)
    rows = tuple(row[:paths] for row in block)
    for row in rows:
        row.flags.writeable = False
    return RowBlock(rows, where)


def total_of(where: np.ndarray, paths: int, executor: Executor) -> np.ndarray:
    """Sum of float32 rows in float64, row after row, as the engine adds its groups.  where : their
    addresses."""
    total = np.empty(paths)
    executor.map(lambda c: add_rows(where, c.lo, c.hi, total), chunks_of(paths, most=LIGHT_PATHS))
    total.flags.writeable = False
    return total


def _address(x: np.ndarray) -> np.uint64:
    return np.uint64(x.__array_interface__["data"][0])


def addresses(rows: Sequence[np.ndarray]) -> np.ndarray:
    """(G,) uint64 for the kernels; the caller keeps *rows* alive."""
    return np.array([_address(row) for row in rows], dtype=np.uint64)


def _full_moves(book: PartialBook, cache: DrawCache, response: Response | None) -> FullMoves:
    none = np.empty(0, dtype=np.int64)
    first, source, weight = none, none, np.empty(0)
    shift = np.empty((len(book.used) + len(book.fixings), 0))
    if response is not None:
        shift = np.empty((len(shift), response.end.shape[1]))
        np.take(response.end, book.used, axis=0, out=shift[: len(book.used)])
        for row, fixing in zip(shift[len(book.used) :], book.fixings, strict=True):
            row[:] = response.at_fixings[fixing]
        if response.noise_map is not None:
            first, source, weight = _entries([*response.noise_map[book.used],
                                              *(response.carry[f] for f in book.fixings)])
    fixed = addresses([cache.fixings[f] for f in book.fixings])
    return FullMoves(cache.noise, fixed, cache.draw, book.used, shift, first, source, weight)


def _entries(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row starts, column, value) of what is not zero."""
    places = [np.flatnonzero(row) for row in rows]
    first = np.concatenate([[0], np.cumsum([len(place) for place in places])]).astype(np.int64)
    source = np.concatenate(places).astype(np.int64)
    return first, source, np.concatenate([row[place] for row, place in zip(rows, places, strict=True)])


def _cached_moves(used: np.ndarray, cache: DrawCache, response: Response | None) -> CachedMoves:
    none = np.empty(0, dtype=np.int64)
    first, source, weight = none, none, np.empty(0, dtype=np.float32)
    shift = np.empty((len(used), 0), dtype=np.float32)
    if response is not None:
        shift = np.ascontiguousarray(response.end[used], dtype=np.float32)
        if response.noise_map is not None:
            first, source, weight = _entries([*response.noise_map[used]])
            weight = weight.astype(np.float32)
    return CachedMoves(cache.noise, cache.scale, cache.draw, used, shift, first, source, weight)
