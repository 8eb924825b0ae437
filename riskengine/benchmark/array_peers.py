"""The same work on JAX or torch, where they are installed: one program over the few functions both have.

Each as its users would have it run fast on a processor: JAX compiles a batch of paths as a whole, draws and
the loop over steps included (``jit``, ``fori_loop``); torch runs the same lines as they come (its compiler
needs a C++ toolchain at run time).  Batches go over a pool of as many threads as the others have.  float32
for W1 and W2 (the engine's default), float64 for W3; the library's own generator; the tails of W1 by
``np.partition`` on the library's memory, several times faster than either library's ``topk``; χ² with five
degrees of freedom as five squares, many times faster than their gamma variates.

A library that is missing is named in the results as not installed, never imported and never imitated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np

from riskengine.benchmark.peers import Revaluation, horizon_tails, map_batches
from riskengine.benchmark.workloads import DOF, SEED, STEPS, HorizonWorkload, PathWorkload

LIBRARIES = ("jax", "torch")
HORIZON_BATCH, PATH_BATCH, REVALUATION_BATCH = 10_000, 5_000, 1_000
"""Paths per batch, each near the fastest for both libraries."""


@dataclass(frozen=True, slots=True)
class ArrayLibrary:
    """What the programs below need; every function takes and returns the library's arrays.

    stream(number) : random stream of a batch.  normal(stream, t, shape) : float32 draws of its step t.
    array(x) : from NumPy, of its type.  at_least(x, bound) : elementwise maximum with a number or an array.
    stack(list) : along a new first axis.  repeat(count, body, state) : state = body(t, state), t = 0 … count − 1.
    compiled(f) : f, compiled where the library does that.  numpy(x) : back, when all is computed.
    """

    name: str
    threads: int
    stream: Callable
    normal: Callable
    array: Callable
    exp: Callable
    log: Callable
    sqrt: Callable
    normal_cdf: Callable
    at_least: Callable
    stack: Callable
    repeat: Callable
    compiled: Callable
    numpy: Callable


def installed(names: Sequence[str] = LIBRARIES) -> dict[str, bool]:
    """Library → can it be imported here?"""
    return {name: find_spec(name) is not None for name in names}


def versions() -> dict[str, str]:
    """Library → version, or 'not installed'."""
    found = {}
    for name, there in installed().items():
        try:
            found[name] = version(name) if there else "not installed"
        except PackageNotFoundError:
            found[name] = "of unknown version"
    return found


def open_library(name: str, threads: int) -> ArrayLibrary:
    """The adapter of an installed library; batches run on *threads*, each on one (JAX may use all cores)."""
    return {"jax": _jax, "torch": _torch}[name](threads)


def _jax(threads: int) -> ArrayLibrary:
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    numpy, random = jax.numpy, jax.random
    root = random.PRNGKey(SEED)
    return ArrayLibrary(
        "jax", threads, lambda number: random.fold_in(root, number),
        lambda key, t, shape: random.normal(random.fold_in(key, t), shape, dtype=numpy.float32),
        numpy.asarray, numpy.exp, numpy.log, numpy.sqrt, import_module("jax.scipy.special").ndtr,
        numpy.maximum, numpy.stack,
        lambda count, body, state: jax.lax.fori_loop(0, count, body, state), jax.jit, np.asarray,
    )


def _torch(threads: int) -> ArrayLibrary:
    torch = import_module("torch")
    torch.set_num_threads(1)

    def repeat(count: int, body: Callable, state: tuple) -> tuple:
        for t in range(count):
            state = body(t, state)
        return state

    return ArrayLibrary(
        "torch", threads, lambda number: torch.Generator().manual_seed(SEED + number),
        lambda generator, t, shape: torch.randn(shape, generator=generator, dtype=torch.float32),
        torch.as_tensor, torch.exp, torch.log, torch.sqrt, torch.special.ndtr,
        lambda x, bound: torch.clamp(x, min=bound), torch.stack, repeat, lambda function: function,
        lambda x: x.numpy(),
    )


def _single(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x, dtype=np.float32)


def prepare_horizon(library: ArrayLibrary, work: HorizonWorkload, paths: int,
                    levels: Sequence[float]) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """W1 as a function of no arguments: VaR, ES, errors of books and total (B + 1, L, 4), contributions (B, L)."""
    lower = library.array(_single(np.linalg.cholesky(work.moves.covariance * (DOF - 2.0) / DOF)))
    delta = library.array(_single(work.exposures.delta))
    half_gamma = library.array(_single(0.5 * work.exposures.gamma))
    factors, count = work.exposures.delta.shape[1], len(work.exposures.delta)
    batch = min(HORIZON_BATCH, paths)

    def simulate(number: Any) -> tuple[Any, Any]:
        stream = library.stream(number)
        z = library.normal(stream, 0, (factors, batch))
        squares = library.normal(stream, 1, (int(DOF), batch))
        x = (lower @ z) * library.sqrt(DOF / (squares * squares).sum(0))
        books = delta @ x + half_gamma @ (x * x)
        return books, books.sum(0)

    program = library.compiled(simulate)

    def run() -> tuple[np.ndarray, np.ndarray]:
        books, total = np.empty((count, paths), np.float32), np.empty(paths, np.float32)

        def place(item: tuple[int, slice]) -> None:
            found, summed = (library.numpy(x) for x in program(item[0]))
            size = item[1].stop - item[1].start
            books[:, item[1]], total[item[1]] = found[:, :size], summed[:size]

        map_batches(place, paths, batch, library.threads)
        return horizon_tails(books, total, levels, library.threads)

    return run


def prepare_paths(library: ArrayLibrary, work: PathWorkload,
                  paths: int) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """W2 as a function of no arguments: terminal P&L (P,) and drawdown (P,)."""
    model, feedback = work.model, work.feedback
    lower = library.array(_single(model.cholesky))
    omega, alpha, beta, start = (library.array(_single(v[:, None])) for v in
                                 (model.omega, model.alpha, model.beta, model.start))
    drift = library.array(_single(np.diff(work.ramp[0], axis=0, prepend=0.0)[:, :, None]))
    loading, impact = library.array(_single(feedback.loading[0])), library.array(_single(feedback.impact))
    memory, threshold, share = (float(a[0]) for a in (feedback.memory, feedback.threshold, feedback.share))
    delta = library.array(_single(work.exposures.delta[0]))
    half_gamma = library.array(_single(0.5 * work.exposures.gamma[0]))
    batch = min(PATH_BATCH, paths)
    wide = library.array(np.zeros((len(model.start), batch), np.float32))
    none = library.array(np.zeros(batch, np.float32))

    def simulate(number: Any) -> tuple[Any, Any]:
        stream = library.stream(number)

        def step(t: Any, state: tuple) -> tuple:
            h, level, loss, sold, peak, worst, _ = state
            shock = (lower @ library.normal(stream, t, (len(model.start), batch))) * library.sqrt(h)
            move = shock + drift[t] + impact * sold
            h = omega + alpha * (shock * shock) + beta * h
            level = level + move
            loss = memory * loss + loading @ move
            sold = share * library.at_least(-threshold - loss, 0.0)
            pnl = delta @ level + half_gamma @ (level * level)
            peak = library.at_least(peak, pnl)
            return h, level, loss, sold, peak, library.at_least(worst, peak - pnl), pnl

        state = library.repeat(STEPS, step, (wide + start, wide, none, none, none, none, none))
        return state[-1], state[-2]

    program = library.compiled(simulate)

    def run() -> tuple[np.ndarray, np.ndarray]:
        terminal, drawdown = np.empty(paths, np.float32), np.empty(paths, np.float32)

        def place(item: tuple[int, slice]) -> None:
            last, fall = (library.numpy(x) for x in program(item[0]))
            size = item[1].stop - item[1].start
            terminal[item[1]], drawdown[item[1]] = last[:size], fall[:size]

        map_batches(place, paths, batch, library.threads)
        return terminal, drawdown

    return run


def prepare_revaluation(library: ArrayLibrary, terms: Revaluation, moves: np.ndarray,
                        batch: int = REVALUATION_BATCH) -> Callable[[], np.ndarray]:
    """W3 as a function of no arguments: P&L by group (G, n), float64; moves are the library's before."""
    zeros, flow_weights, flow, quantity, spot, strike, income, years, vol, sign, option_weights = (
        library.array(np.array(a, dtype=np.float64)) for a in (
            terms.zeros[:, None], terms.flow_weights, terms.flow, terms.quantity[:, 0], terms.spot, terms.strike,
            terms.income, terms.years, terms.vol, terms.sign, terms.option_weights))
    noi, cap, debt = (library.array(np.array(a, dtype=np.float64)) for a in (terms.noi, terms.cap, terms.debt))
    ends = [np.searchsorted(group, np.arange(terms.groups + 1)).tolist()
            for group in (terms.flow_group, terms.option_group, terms.home_group)]

    def value(x: Any) -> Any:
        zero = zeros + x[terms.curve]
        discount = library.exp(flow_weights @ zero)
        asset = spot * library.exp(x[terms.asset_row]) * library.exp(-income * years)
        cash = strike * library.exp(-(option_weights @ zero) * years)
        s = vol * library.exp(x[terms.vol_row]) * library.sqrt(years)
        d1 = library.log(asset / cash) / s + 0.5 * s
        option = sign * (asset * library.normal_cdf(sign * d1) - cash * library.normal_cdf(sign * (d1 - s)))
        home = library.at_least(noi / library.at_least(cap + x[terms.home_row], 0.01) - debt, 0.0)
        groups = []
        for g in range(terms.groups):
            pnl = -float(terms.base[g])
            for values, size, bounds in zip((discount, option, home), (flow, quantity, None), ends, strict=True):
                lo, hi = bounds[g], bounds[g + 1]
                if lo < hi:
                    pnl = pnl + (values[lo:hi].sum(0) if size is None else size[lo:hi] @ values[lo:hi])
            groups.append(pnl)
        return library.stack(groups)

    program = library.compiled(value)
    paths = moves.shape[1]
    parts = [library.array(np.ascontiguousarray(moves[:, lo : lo + batch])) for lo in range(0, paths, batch)]

    def run() -> np.ndarray:
        out = np.empty((terms.groups, paths))

        def place(item: tuple[int, slice]) -> None:
            out[:, item[1]] = library.numpy(program(parts[item[0]]))

        map_batches(place, paths, batch, library.threads)
        return out

    return run
