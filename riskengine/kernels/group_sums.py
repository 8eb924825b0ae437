"""What is kept of the P&L of a chunk: float32 group rows, float64 totals, and sums of gains by reduction quantum.

A quantum is QUANTUM consecutive paths; sums inside it run in path order, so no chunk or thread count changes a bit.
"""

from __future__ import annotations

import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.tails import QUANTUM


@kernel
def round_groups(pnl, groups, total):
    """groups (G, n) float32 ← pnl (G, n) float64; total (n,) float64 ← sum of the rounded rows in group order."""
    for p in range(total.shape[0]):
        total[p] = 0.0
    for g in range(pnl.shape[0]):
        for p in range(total.shape[0]):
            value = np.float32(pnl[g, p])
            groups[g, p] = value
            total[p] += np.float64(value)


@kernel
def sum_gains(shocked, base, out):
    """out (Q, G) ← Σ over each quantum of shocked − base, both (G, n) float32; the chunk starts on a quantum."""
    paths = shocked.shape[1]
    for q in range(out.shape[0]):
        for g in range(shocked.shape[0]):
            part = 0.0
            for p in range(q * QUANTUM, min((q + 1) * QUANTUM, paths)):
                part += np.float64(shocked[g, p]) - np.float64(base[g, p])
            out[q, g] = part


@kernel
def shift_moves(noise, shift, draw, moves):
    """moves (K, n) ← noise (K, n) + shift (K, D)[:, draw (n,)]."""
    for k in range(noise.shape[0]):
        for p in range(draw.shape[0]):
            moves[k, p] = noise[k, p] + shift[k, draw[p]]
