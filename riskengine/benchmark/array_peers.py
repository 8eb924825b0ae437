"""The same work on JAX or torch, where they are installed: one program over the few functions both have.

Arrays as large as the workload, float32 for W1 and W2 (the engine's default) and float64 for W3, the
library's own generator, whatever device it chooses by itself.  A library that is missing is named in the
results as not installed, never imported and never imitated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np

from riskengine.benchmark.peers import Revaluation
from riskengine.benchmark.workloads import DOF, SEED, STEPS, HorizonWorkload, PathWorkload
from riskengine.measures.tail_risk import rank_of_level

LIBRARIES = ("jax", "torch")


@dataclass(frozen=True, slots=True)
class ArrayLibrary:
    """What the programs below need; every function takes and returns the library's arrays.

    normal(shape), chi_square(dof, count) : draws.  array(x) : from NumPy, of its type.  at_least(x, bound) :
    elementwise maximum with a number or an array.  smallest(x, k) : the k smallest of each row, ascending.
    compiled(f) : f, compiled where the library does that.  numpy(x) : back, when all is computed.
    """

    name: str
    normal: Callable
    chi_square: Callable
    array: Callable
    exp: Callable
    log: Callable
    sqrt: Callable
    normal_cdf: Callable
    at_least: Callable
    smallest: Callable
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
    """The adapter of an installed library; *threads* where the library lets us say (torch)."""
    return {"jax": _jax, "torch": _torch}[name](threads)


def _jax(threads: int) -> ArrayLibrary:
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    numpy, random = jax.numpy, jax.random
    state = {"key": random.PRNGKey(SEED)}

    def key() -> Any:
        state["key"], fresh = random.split(state["key"])
        return fresh

    return ArrayLibrary(
        "jax", lambda shape: random.normal(key(), shape, dtype=numpy.float32),
        lambda dof, count: 2.0 * random.gamma(key(), 0.5 * dof, (count,), dtype=numpy.float32),
        numpy.asarray, numpy.exp, numpy.log, numpy.sqrt, import_module("jax.scipy.special").ndtr,
        numpy.maximum, lambda x, k: -jax.lax.top_k(-x, k)[0], jax.jit, np.asarray,
    )


def _torch(threads: int) -> ArrayLibrary:
    torch = import_module("torch")
    torch.set_num_threads(threads)
    torch.manual_seed(SEED)

    def at_least(x: Any, bound: Any) -> Any:
        return torch.clamp(x, min=bound)

    return ArrayLibrary(
        "torch", lambda shape: torch.randn(shape, dtype=torch.float32),
        lambda dof, count: torch.distributions.Chi2(torch.tensor(float(dof))).sample((count,)),
        torch.as_tensor, torch.exp, torch.log, torch.sqrt, torch.special.ndtr, at_least,
        lambda x, k: torch.topk(x, k, dim=-1, largest=False, sorted=True).values, lambda function: function,
        lambda x: x.numpy(),
    )


def _single(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x, dtype=np.float32)


def prepare_horizon(library: ArrayLibrary, work: HorizonWorkload, paths: int,
                    levels: Sequence[float]) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """W1 as a function of no arguments: VaR and ES of books and total (B + 1, L, 2), contributions (B, L)."""
    lower = library.array(_single(np.linalg.cholesky(work.moves.covariance * (DOF - 2.0) / DOF)))
    delta = library.array(_single(work.exposures.delta))
    half_gamma = library.array(_single(0.5 * work.exposures.gamma))
    ranks = [rank_of_level(paths, level) for level in levels]
    largest = max(rank.high for rank in ranks)

    def simulate(z: Any, chi_square: Any) -> tuple[Any, Any, Any, Any]:
        x = (lower @ z) * library.sqrt(DOF / chi_square)
        books = delta @ x + half_gamma @ (x * x)
        total = books.sum(0)
        return books, total, library.smallest(books, largest), library.smallest(total, largest)

    program = library.compiled(simulate)

    def run() -> tuple[np.ndarray, np.ndarray]:
        answer = program(library.normal((len(delta[0]), paths)), library.chi_square(DOF, paths))
        books, total, heads, head = (library.numpy(x) for x in answer)
        heads = np.concatenate([heads, head[None]]).astype(np.float64)
        rows = np.empty((len(heads), len(ranks), 2))
        components = np.empty((len(books), len(ranks)))
        for i, rank in enumerate(ranks):
            quantile = heads[:, rank.k - 1]
            gaps = (quantile[:, None] - heads[:, : rank.k]).sum(axis=1) / rank.expected
            rows[:, i] = np.column_stack([-quantile, -quantile + gaps])
            inside = np.flatnonzero(total <= quantile[-1])
            components[:, i] = -books[:, inside].sum(axis=1, dtype=np.float64) / rank.expected
        return rows, components

    return run


def prepare_paths(library: ArrayLibrary, work: PathWorkload,
                  paths: int) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """W2 as a function of no arguments: terminal P&L (P,) and drawdown (P,)."""
    model, feedback = work.model, work.feedback
    lower = library.array(_single(model.cholesky))
    omega, alpha, beta, start = (library.array(_single(v[:, None])) for v in
                                 (model.omega, model.alpha, model.beta, model.start))
    drift = np.diff(work.ramp[0], axis=0, prepend=0.0)
    loading, impact = library.array(_single(feedback.loading[0])), library.array(_single(feedback.impact))
    memory, threshold, share = (float(a[0]) for a in (feedback.memory, feedback.threshold, feedback.share))
    delta = library.array(_single(work.exposures.delta[0]))
    half_gamma = library.array(_single(0.5 * work.exposures.gamma[0]))
    drifts = [library.array(_single(row[:, None])) for row in drift]

    def advance(z: Any, drift: Any, h: Any, level: Any, loss: Any, sold: Any, peak: Any, worst: Any) -> tuple:
        shock = (lower @ z) * library.sqrt(h)
        move = shock + drift + impact * sold
        h = omega + alpha * (shock * shock) + beta * h
        level = level + move
        loss = memory * loss + loading @ move
        sold = share * library.at_least(-threshold - loss, 0.0)
        pnl = delta @ level + half_gamma @ (level * level)
        peak = library.at_least(peak, pnl)
        return h, level, loss, sold, peak, library.at_least(worst, peak - pnl), pnl

    step = library.compiled(advance)

    def run() -> tuple[np.ndarray, np.ndarray]:
        wide = library.array(np.zeros((len(model.start), paths), np.float32))
        none = library.array(np.zeros(paths, np.float32))
        state: tuple = (wide + start, wide, none, none, none, none, none)
        for t in range(STEPS):
            state = step(library.normal((len(model.start), paths)), drifts[t], *state[:-1])
        return library.numpy(state[-1]), library.numpy(state[-2])

    return run


def prepare_revaluation(library: ArrayLibrary, terms: Revaluation, moves: np.ndarray,
                        batch: int = 5_000) -> Callable[[], np.ndarray]:
    """W3 as a function of no arguments: P&L by group (G, n), float64, in batches of paths."""
    def by_group(groups: np.ndarray, size: np.ndarray) -> Any:
        table = np.zeros((terms.groups, groups.size))
        table[groups, np.arange(groups.size)] = size
        return library.array(table)

    zeros, flow_weights, spot, strike, income, years, vol, sign, option_weights, noi, cap, debt, base = (
        library.array(np.array(a, dtype=np.float64)) for a in (
            terms.zeros[:, None], terms.flow_weights, terms.spot, terms.strike, terms.income, terms.years,
            terms.vol, terms.sign, terms.option_weights, terms.noi, terms.cap, terms.debt,
            terms.base[:, None]))
    flows = by_group(terms.flow_group, terms.flow)
    options = by_group(terms.option_group, terms.quantity[:, 0])
    homes = by_group(terms.home_group, np.ones(terms.home_group.size))

    def value(x: Any) -> Any:
        zero = zeros + x[terms.curve]
        asset = spot * library.exp(x[terms.asset_row]) * library.exp(-income * years)
        cash = strike * library.exp(-(option_weights @ zero) * years)
        s = vol * library.exp(x[terms.vol_row]) * library.sqrt(years)
        d1 = library.log(asset / cash) / s + 0.5 * s
        option = sign * (asset * library.normal_cdf(sign * d1) - cash * library.normal_cdf(sign * (d1 - s)))
        home = library.at_least(noi / library.at_least(cap + x[terms.home_row], 0.01) - debt, 0.0)
        return flows @ library.exp(flow_weights @ zero) + options @ option + homes @ home - base

    program = library.compiled(value)

    def run() -> np.ndarray:
        parts = [library.array(np.ascontiguousarray(moves[:, lo : lo + batch]))
                 for lo in range(0, moves.shape[1], batch)]
        return np.concatenate([library.numpy(program(part)) for part in parts], axis=1)

    return run
