"""Simulation and tails in one pass: of the P&L by group only what may lie in a tail is ever stored.

Blocks of paths are simulated into memory that stays in the second-level cache and compared there with one
threshold per series (each group, and the total); values at or below it are kept with their path numbers.
For the total's kept paths the P&L of every group is kept too: the Euler contributions need it.

A threshold comes from a pilot, the first paths of the run.  It decides what is stored, never a result:
whoever measures needs the k smallest of a series, in path order, and checks that at least k were kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.group_pnl import Target, simulate_groups
from riskengine.kernels.group_tails import LANES, mask_at_most, trailing_zeros

BLOCK = 2_880
"""Paths simulated at once: a multiple of the tile (240) and of LANES; 20 groups in float32 are 230 kB."""


class Kept(NamedTuple):
    """Room for what a chunk of n paths keeps; written from the left.

    values, places : (G, n) real and int32, kept P&L of each group and their paths, in path order.
    total_values, total_places : (n,) float64 and int32, the same of the total.
    members : (G, n) real, P&L of the groups on the total's kept paths.
    counts : (G + 1,) int64 kept of each group and, last, of the total.
    """

    values: np.ndarray
    places: np.ndarray
    total_values: np.ndarray
    total_places: np.ndarray
    members: np.ndarray
    counts: np.ndarray


class KeptPart(NamedTuple):
    """What is kept of one chunk: G + 1 series, the total last.

    values : real vectors, float64 of the total.  places : int32 vectors, their paths, ascending.
    members : (G, kept of the total) real.
    """

    values: tuple[np.ndarray, ...]
    places: tuple[np.ndarray, ...]
    members: np.ndarray


class TailCandidates(NamedTuple):
    """What is kept of a run of *paths*: its chunks in path order; of every series at least the *largest*
    smallest."""

    parts: tuple[KeptPart, ...]
    paths: int
    largest: int

    def count(self, series: int) -> int:
        """Kept paths of a series."""
        return sum(part.places[series].size for part in self.parts)

    def gather(self, series: int, values: np.ndarray, places: np.ndarray) -> None:
        """Fill *values* float64 and *places* int64, both (count,)."""
        np.concatenate([part.values[series] for part in self.parts], out=values)
        np.concatenate([part.places[series] for part in self.parts], out=places)

    def member(self, group: int) -> np.ndarray:
        """P&L of a group on the total's kept paths."""
        return np.concatenate([part.members[group] for part in self.parts])


def room_for(groups: int, paths: int, real: np.dtype) -> Kept:
    """Room for all of a chunk of *paths*; memory that is not written costs nothing."""
    return Kept(np.empty((groups, paths), real), np.empty((groups, paths), np.int32), np.empty(paths),
                np.empty(paths, np.int32), np.empty((groups, paths), real), np.zeros(groups + 1, np.int64))


def copy_part(room: Kept) -> KeptPart:
    """What a chunk kept, in memory of its own size."""
    *counts, whole = room.counts.tolist()
    values = [row[:n].copy() for row, n in zip(room.values, counts, strict=True)]
    places = [row[:n].copy() for row, n in zip(room.places, counts, strict=True)]
    return KeptPart((*values, room.total_values[:whole].copy()), (*places, room.total_places[:whole].copy()),
                    room.members[:, :whole].copy())


@kernel
def append_at_most(x, width, threshold, origin, count, values, places):
    """Append x[i] ≤ threshold or NaN, i < width, and origin + i to *count* kept ones; their new count."""
    whole = width // LANES * LANES
    for offset in range(0, whole, LANES):
        bits = mask_at_most(x, offset, threshold)
        while bits != np.uint64(0):
            place = offset + trailing_zeros(bits)
            values[count] = x[place]
            places[count] = origin + place
            count += 1
            bits &= bits - np.uint64(1)
    for place in range(whole, width):
        if not x[place] > threshold:
            values[count] = x[place]
            places[count] = origin + place
            count += 1
    return count


@kernel
def simulate_candidates(noise, stream, exposures, first, last, thresholds, total_threshold, out):
    """Simulate paths first … last − 1 and keep what may lie in a tail.

    Parameters
    ----------
    noise, stream, exposures : as group_pnl.simulate_groups takes them.
    thresholds : (G,) real.  total_threshold : float.
    out : Kept, with room for last − first paths; its counts start anew.
    """
    groups = thresholds.shape[0]
    pnl = np.empty((groups, BLOCK), dtype=thresholds.dtype)
    total = np.empty(BLOCK)
    out.counts[:] = 0
    for begin in range(first, last, BLOCK):
        width = min(BLOCK, last - begin)
        simulate_groups(noise, stream, exposures, begin, begin + width, Target(pnl, total, begin))
        for g in range(groups):
            out.counts[g] = append_at_most(pnl[g], width, thresholds[g], begin, out.counts[g], out.values[g],
                                           out.places[g])
        before = out.counts[groups]
        after = append_at_most(total, width, total_threshold, begin, before, out.total_values,
                               out.total_places)
        out.counts[groups] = after
        for g in range(groups):
            source, target = pnl[g], out.members[g]
            for i in range(before, after):
                target[i] = source[out.total_places[i] - begin]
