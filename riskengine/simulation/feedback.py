"""Holders who sell into a falling market: loss in home currency → share of the excess → next step's prices.

Holders are cut into cells, a group by one asset class.  With R_c the home-currency return of a cell in a
step,

    q_c = memory q_c + R_c          R_c = Σ_k loading[c, k] r_k     (asset return + unhedged FX return)
    f_c = share_c max(0, −threshold_c − q_c)                        fraction of its holdings the cell sells
    X_m = Σ_c amount[m, c] f_c      USD bn in market m;       next step  r_k ← r_k + Σ_m impact[k, m] X_m

The impact decays from 1 to ``lasting`` of itself (the propagator of METHOD 4).  The loop of one step is the
matrix share_c Σ_km |loading[c, k] impact[k, m] amount[m, c']|: METHOD 9 asks for share × multiplier × W/Cap
below 0.5, here the spectral radius of that matrix, which is the same number for one cell and one market
and does not depend on units.  (Forced sales of levered and loss-averse holders: Greenwood, Landier and
Thesmar 2015, JFE 115; the fire-sale loop of Cont and Schaanning 2017.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.kernels.path_dependent import Selling

LARGEST_LOOP_GAIN = 0.5
"""METHOD 9."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """Feedback selling of C cells on M markets, moving K factors one step later.

    cells : C pairs (holder group, asset class).  loading : (C, K) home-currency return of the cell per unit
    move of a factor, gain positive (Treasuries −duration on yields; currencies − for USD holders' loss when
    the home currency rises).
    memory : (C,) share of the running loss kept per step, 0 ≤ memory < 1 (0: only this step counts).
    threshold : (C,) loss that must be passed, positive, fraction.  share : (C,) fraction of the holdings sold
    per unit of loss beyond it, and per step as long as it lasts.
    holdings : (C,) USD bn; the flow line of a path is −holdings × fraction sold.
    markets : M names.  amount : (M, C) USD bn that reach market m when a cell sells everything.
    lasting, decay : (M,) share of the impact that stays, and decay of the rest per step; both in 0 … 1.
    impact : (K, M) move of a factor per USD bn of sales, factor's own unit (equity −, yields +, FX +: the
    dollar falls).
    sources : one sentence per assumption.
    """

    cells: tuple[tuple[str, str], ...]
    loading: np.ndarray
    memory: np.ndarray
    threshold: np.ndarray
    share: np.ndarray
    holdings: np.ndarray
    markets: tuple[str, ...]
    amount: np.ndarray
    lasting: np.ndarray
    decay: np.ndarray
    impact: np.ndarray
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        c, m = len(self.cells), len(self.markets)
        k = np.shape(self.loading)[-1] if np.ndim(self.loading) == 2 else 0
        shapes = {
            "loading": (c, k), "memory": (c,), "threshold": (c,), "share": (c,), "holdings": (c,),
            "amount": (m, c), "lasting": (m,), "decay": (m,), "impact": (k, m),
        }
        problems = []
        for name, shape in shapes.items():
            value = np.array(getattr(self, name), dtype=np.float64, order="C")
            value.flags.writeable = False
            object.__setattr__(self, name, value)
            if value.shape != shape or not np.isfinite(value).all():
                problems.append(Problem(f"feedback {name} must be finite of shape {shape}",
                                        got=str(value.shape)))
        if problems:
            raise InputError(problems)
        rules = {
            "memory must lie in [0, 1)": (self.memory >= 0) & (self.memory < 1),
            "threshold must be positive": self.threshold > 0,
            "share must not be negative": self.share >= 0,
            "holdings must not be negative": self.holdings >= 0,
            "amount must not be negative": self.amount >= 0,
            "lasting must lie in [0, 1]": (self.lasting >= 0) & (self.lasting <= 1),
            "decay must lie in [0, 1]": (self.decay >= 0) & (self.decay <= 1),
        }
        broken = [Problem(f"feedback {rule}") for rule, holds in rules.items() if not holds.all()]
        if broken:
            raise InputError(broken)

    @property
    def loop_gain(self) -> float:
        """Spectral radius of the one-step loop, signs ignored (the worst alignment of cells)."""
        return _radius(self._loop())

    @property
    def standing_gain(self) -> float:
        """The same with the memory of losses: above 1 selling that has started need not end."""
        return _radius(self._loop() + np.diag(self.memory))

    def _loop(self) -> np.ndarray:
        return self.share[:, None] * np.abs(self.loading @ self.impact @ self.amount)

    def check_loop(self) -> None:
        """ModelError unless the loop gain is below 0.5."""
        gain = self.loop_gain
        if not gain < LARGEST_LOOP_GAIN:
            raise ModelError(f"feedback selling: loop gain (share × multiplier × W/Cap) is {gain:.3g}, it "
                             f"must be below {LARGEST_LOOP_GAIN}; lower the share sold or the impact")


def pack_feedback(feedback: Feedback | None, factors: int, real: np.dtype) -> Selling:
    """Arrays of the kernel: non-zero entries by row; no cells without feedback."""
    if feedback is None:
        none = np.zeros(0)
        parts = [np.zeros((0, factors)), none, none, none, np.zeros((0, 0)), none, none,
                 np.zeros((factors, 0))]
    else:
        if feedback.loading.shape[1] != factors:
            raise InputError(Problem("feedback and model need the same factors",
                                     got=str(feedback.loading.shape[1]), accepted=str(factors)))
        feedback.check_loop()
        parts = [feedback.loading, feedback.memory, feedback.threshold, feedback.share, feedback.amount,
                 feedback.lasting, feedback.decay, feedback.impact]
    loading, memory, threshold, share, amount, lasting, decay, impact = parts

    def cast(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values, dtype=real)

    return Selling(
        *_by_row(loading, real), cast(memory), cast(threshold), cast(share), *_by_row(amount, real),
        cast(lasting), cast(decay), *_by_row(impact, real),
    )


def _by_row(matrix: np.ndarray, real: np.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row starts, column, value) of the non-zero entries."""
    rows, columns = np.nonzero(matrix)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=matrix.shape[0]))]).astype(np.int64)
    return starts, columns.astype(np.int64), np.ascontiguousarray(matrix[rows, columns], dtype=real)


def _radius(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max()) if matrix.size else 0.0
