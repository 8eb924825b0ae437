"""Cash flows between two key rates as a few discount factors: which legs, which nodes, which weights.

Legs with the same asset and the same segment between key rates differ only in the time T of their payment,

    a · exp(c x + s T (w₁(T) x₁ + w₂(T) x₂))       w linear in T within the segment, s = ± 1

a smooth function of T.  It is interpolated through Chebyshev nodes T_m of the segment,

    Σ_i a_i e(T_i) ≈ Σ_m e(T_m) Σ_i a_i ℓ_m(T_i)

with ℓ_m Lagrange's polynomials in barycentric form (Berrut and Trefethen 2004, SIAM Review 46).

The nodes of a segment are constants, and a group takes them or not by its own legs alone: what other
groups hold changes no bit of its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from riskengine.base.axes import KEY_RATES, Axis
from riskengine.kernels.reprice import PANEL, LegArrays, NodeArrays

TENORS = np.array(list(KEY_RATES.values()))
SEGMENT_NODES = (8, 12, 12, 12, 12, 16, 16, 16, 20, 24)
"""Nodes of the segments that end at the key rates, multiples of the kernel's panel.  Interpolation error
at most 1e-12 of the value of a cash flow (today or moved, the larger) for any moves of the two key rates
within ± 10 percentage points, also against each other (tests/instruments/test_ladder.py)."""
WORTHWHILE = 2
"""A group takes a segment's nodes from nodes / WORTHWHILE legs on: a weight costs a tenth of an exponential,
and the nodes are shared by all groups."""


@dataclass(frozen=True, slots=True)
class CurveLegs:
    """Exponential legs read as payments; all (L,).

    asset : row, −1 without.  slope : its coefficient.  sign, years : of the payment time.
    segment : index of the first key rate at or beyond *years*.
    fits : the leg has this shape; the other fields mean nothing if not.
    """

    asset: np.ndarray
    slope: np.ndarray
    sign: np.ndarray
    years: np.ndarray
    segment: np.ndarray
    fits: np.ndarray

    @property
    def keys(self) -> np.ndarray:
        """(L, 4) asset, slope, segment, sign: legs with the same key share nodes."""
        return np.column_stack([self.asset, self.slope, self.segment, self.sign])


def exponential_legs(legs: LegArrays) -> tuple[np.ndarray, np.ndarray]:
    """index (L, 4) and terms (L, 4) of the pairs, then of the triples, in one form."""
    index = np.concatenate([legs.pair_index[:, [0, 1, 2, 2]], legs.triple_index])
    pairs = np.column_stack([legs.pair_terms, np.zeros(len(legs.pair_terms))])
    terms = np.concatenate([pairs, legs.triple_terms])
    return index, terms


def read_curve_legs(rows: np.ndarray, coefficients: np.ndarray, axis: Axis) -> CurveLegs:
    """Payments among exponential legs with rows (L, 3) and coefficients (L, 3) on *axis*, then fixings."""
    first = first_key_rate(axis)
    used = coefficients != 0.0
    curve = used & (rows >= first) & (rows < first + len(TENORS))
    other = used & ~curve
    time = np.where(curve, coefficients, 0.0).sum(axis=1)
    years = np.abs(time)
    weights = np.zeros((len(rows), len(TENORS)))
    for j in range(3):
        at = np.flatnonzero(curve[:, j])
        np.add.at(weights, (at, rows[at, j] - first), coefficients[at, j])
    gap = np.abs(weights - time[:, None] * curve_weights(years)).max(axis=1, initial=0.0)
    return CurveLegs(
        asset=np.where(other, rows, -1).max(axis=1, initial=-1),
        slope=np.where(other, coefficients, 0.0).sum(axis=1),
        sign=np.sign(time),
        years=years,
        segment=np.searchsorted(TENORS, years, side="left"),
        fits=curve.any(axis=1) & (gap <= 1e-13 * (1.0 + years)) & (other.sum(axis=1) <= 1),
    )


def first_key_rate(axis: Axis) -> int:
    """Row of the shortest key rate; the others follow it."""
    return axis.index(f"UST_{next(iter(KEY_RATES))}")


def curve_weights(years: np.ndarray) -> np.ndarray:
    """(n, tenors) weights of the key-rate moves in the zero rate at *years*: linear, flat beyond the ends."""
    j = np.clip(np.searchsorted(TENORS, years, side="right") - 1, 0, len(TENORS) - 2)
    within = 1.0 / (TENORS[j + 1] - TENORS[j]) * (np.maximum(years, TENORS[0]) - TENORS[j])
    within[years >= TENORS[-1]] = 1.0
    out, rows = np.zeros((len(years), len(TENORS))), np.arange(len(years))
    out[rows, j], out[rows, j + 1] = 1.0 - within, within
    return out


def interpolate_chebyshev(years: np.ndarray, lo: float, hi: float,
                          count: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev nodes (count,) of lo … hi and the Lagrange weights (n, count) of every date."""
    angle = (2 * np.arange(count) + 1) * np.pi / (2 * count)
    nodes = 0.5 * (lo + hi) + 0.5 * (hi - lo) * np.cos(angle)
    barycentric = (-1.0) ** np.arange(count) * np.sin(angle)
    gap = years[:, None] - nodes
    exact = gap == 0.0
    weight = barycentric / np.where(exact, 1.0, gap)
    share = weight / weight.sum(axis=1, keepdims=True)
    hit = exact.any(axis=1)
    share[hit] = exact[hit]
    return nodes, share


def node_terms(key: np.ndarray, nodes: np.ndarray, axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Rows (m, 3) and coefficients (m, 3) of the exponentials of one key at *nodes*: key rates, the asset."""
    first, (asset, slope, _, sign) = first_key_rate(axis), key
    rows, terms = np.zeros((len(nodes), 3), dtype=np.int64), np.zeros((len(nodes), 3))
    for m, (t, w) in enumerate(zip(nodes, curve_weights(nodes), strict=True)):
        used = np.flatnonzero(w)
        rows[m] = first + used[0]
        rows[m, : len(used)], terms[m, : len(used)] = first + used, sign * t * w[used]
        if asset >= 0:
            rows[m, 2], terms[m, 2] = int(asset), slope
    return rows, terms


@lru_cache(maxsize=512)
def _segment_terms(key: tuple[float, ...], axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """node_terms of the nodes of the key's segment: constants, laid out once."""
    nodes, _ = interpolate_chebyshev(np.zeros(0), *_segment(key))
    return node_terms(np.array(key), nodes, axis)


def lay_ladder(legs: LegArrays, axis: Axis) -> tuple[LegArrays, NodeArrays]:
    """The legs that stay as they are, and the nodes in place of the others with every group's weights."""
    if WORTHWHILE * (len(legs.pair_index) + len(legs.triple_index)) < min(SEGMENT_NODES):
        return legs, no_ladder()
    index, terms = exponential_legs(legs)
    curve = read_curve_legs(index[:, 1:], terms[:, 1:], axis)
    here = np.flatnonzero(curve.fits & (curve.segment < len(TENORS)) & (curve.asset < len(axis)))
    owners, place, size = np.unique(np.column_stack([index[here, 0], curve.keys[here]]), axis=0,
                                    return_inverse=True, return_counts=True)
    needed = np.array(SEGMENT_NODES)[owners[:, 3].astype(np.int64)]
    chosen = WORTHWHILE * size >= needed
    taken = np.zeros(len(index), dtype=bool)
    taken[here[chosen[place.ravel()]]] = True
    keys, key_of = np.unique(owners[chosen, 1:], axis=0, return_inverse=True)
    counts = np.array(SEGMENT_NODES)[keys[:, 2].astype(np.int64)]
    ends = np.cumsum(counts)
    rows, coefficients = [np.zeros((0, 3), np.int64)], [np.zeros((0, 3))]
    for key in keys:
        row, term = _segment_terms(tuple(key.tolist()), axis)
        rows.append(row), coefficients.append(term)
    panels, weights = [], []
    by_owner = np.split(here[np.argsort(place.ravel(), kind="stable")], np.cumsum(size)[:-1])
    for owner, k in zip(np.flatnonzero(chosen), key_of.ravel(), strict=True):
        members = by_owner[owner]
        _, share = interpolate_chebyshev(curve.years[members], *_segment(keys[k]))
        amounts = (terms[members, :1] * share).sum(axis=0)
        for m in range(0, counts[k], PANEL):
            panels.append((int(owners[owner, 0]), ends[k] - counts[k] + m))
            weights.append(amounts[m : m + PANEL])
    # by node, then by group: all groups take a node while it is in the fast cache; the nodes stand in the
    # order of their keys, so that what a group sums, and in which order, hangs on its own legs alone
    panels_by_node = sorted(range(len(panels)), key=lambda p: panels[p][::-1])
    panels, weights = [panels[p] for p in panels_by_node], [weights[p] for p in panels_by_node]
    pairs = len(legs.pair_index)
    kept = legs._replace(
        pair_index=legs.pair_index[~taken[:pairs]], pair_terms=legs.pair_terms[~taken[:pairs]],
        triple_index=legs.triple_index[~taken[pairs:]], triple_terms=legs.triple_terms[~taken[pairs:]],
    )
    return kept, NodeArrays(
        np.concatenate(rows), np.concatenate(coefficients),
        np.array(panels, dtype=np.int64).reshape(len(panels), 2),
        np.array(weights, dtype=np.float64).reshape(len(weights), PANEL),
    )


def _segment(key: Sequence[float]) -> tuple[float, float, int]:
    """First and last date and number of nodes of the segment of one key."""
    segment = int(key[2])
    first = 0.0 if segment == 0 else float(TENORS[segment - 1])
    return first, float(TENORS[segment]), SEGMENT_NODES[segment]


def no_ladder() -> NodeArrays:
    """Every leg for itself."""
    return NodeArrays(np.zeros((0, 3), np.int64), np.zeros((0, 3)), np.zeros((0, 2), np.int64),
                      np.zeros((0, PANEL)))
