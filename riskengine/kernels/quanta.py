"""Sums over paths, quantum by quantum: the bits of a plain loop at the speed of vectors.

A quantum is QUANTUM consecutive paths, summed in path order (``kernels.tails``).  Eight neighbouring quanta
are the eight lanes of a vector: 8 × 8 values are loaded row by row (a row inside a quantum) and transposed in
registers by three rounds of interleaving (a perfect shuffle each), so that lane j meets the values of quantum
j in path order.
"""

from __future__ import annotations

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from riskengine.kernels import kernel
from riskengine.kernels.tails import QUANTUM, add_pairwise

LANES = 8
"""Quanta summed side by side."""


@intrinsic
def void_pointer(typing_context, address):
    """An address as a pointer, for numba.carray."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.uint64), generate


def _interleave(builder, one, two):
    """(low halves, high halves) of two vectors, element by element in turn."""
    half = LANES // 2

    def mask(start):
        places = [x for i in range(half) for x in (start + i, LANES + start + i)]
        return ir.Constant(ir.VectorType(ir.IntType(32), LANES), places)

    return [builder.shuffle_vector(one, two, mask(start)) for start in (0, half)]


def _sum_block(count: int):
    """Sums of LANES quanta of x, or of x − y when *count* is 2, into out[q : q + LANES]."""

    def generate(context, builder, signature, arguments):
        index, double = ir.IntType(64), ir.DoubleType()
        wide = ir.VectorType(double, LANES)
        first, q = arguments[count], arguments[count + 2]
        pointers = []
        for kind, value in zip(signature.args[:count], arguments[:count], strict=True):
            scalar = ir.FloatType() if kind.dtype.bitwidth == 32 else double
            data = context.make_array(kind)(context, builder, value).data
            pointers.append((data, ir.VectorType(scalar, LANES), kind.dtype.bitwidth // 8))
        out = context.make_array(signature.args[count + 1])(context, builder, arguments[count + 1])

        entry = builder.block
        loop = builder.append_basic_block("quanta.loop")
        done = builder.append_basic_block("quanta.done")
        builder.branch(loop)
        builder.position_at_end(loop)
        i = builder.phi(index)
        i.add_incoming(ir.Constant(index, 0), entry)
        total = builder.phi(wide)
        total.add_incoming(ir.Constant(wide, [0.0] * LANES), entry)
        rows = []
        for lane in range(LANES):
            place = builder.add(builder.add(first, i), ir.Constant(index, lane * QUANTUM))
            loaded = []
            for data, vector, size in pointers:
                at = builder.bitcast(builder.gep(data, [place]), vector.as_pointer())
                values = builder.load(at, align=size)
                # a difference is taken in float64; a sum is widened after the shuffles, cheaper when narrow
                loaded.append(builder.fpext(values, wide) if count == 2 and size == 4 else values)
            rows.append(builder.fsub(*loaded) if count == 2 else loaded[0])
        for _ in range(3):
            rows = [x for a in range(LANES // 2) for x in _interleave(builder, rows[a], rows[a + LANES // 2])]
        after = total
        for row in rows:
            after = builder.fadd(after, row if row.type == wide else builder.fpext(row, wide))
        following = builder.add(i, ir.Constant(index, LANES))
        i.add_incoming(following, loop)
        total.add_incoming(after, loop)
        builder.cbranch(builder.icmp_signed("<", following, ir.Constant(index, QUANTUM)), loop, done)
        builder.position_at_end(done)
        target = builder.bitcast(builder.gep(out.data, [q]), wide.as_pointer())
        builder.store(after, target, align=8)
        return context.get_dummy_value()

    return generate


@intrinsic
def sum_block(typing_context, x, first, out, q):
    """out[q + j] = Σ x[first + j·QUANTUM + (0 … QUANTUM − 1)] in path order, j < LANES.

    x : (P,) float32 or float64, C-contiguous.  out : (Q,) float64.
    """
    return types.void(x, types.int64, out, types.int64), _sum_block(1)


@intrinsic
def sum_block_of_gains(typing_context, x, y, first, out, q):
    """sum_block of x − y, the difference in float64."""
    return types.void(x, y, types.int64, out, types.int64), _sum_block(2)


@kernel
def sum_quanta(x):
    """Σ x through the tree of kernels.tails.sum_by_tree, to the bit."""
    paths = x.shape[0]
    quanta = (paths + QUANTUM - 1) // QUANTUM
    leaves = np.zeros(quanta)
    done = paths // QUANTUM // LANES * LANES
    for q in range(0, done, LANES):
        sum_block(x, q * QUANTUM, leaves, q)
    for q in range(done, quanta):
        part = 0.0
        for i in range(q * QUANTUM, min((q + 1) * QUANTUM, paths)):
            part += x[i]
        leaves[q] = part
    return add_pairwise(leaves)


@kernel
def sum_rows(rows, paths, low, high, out):
    """out[g] = sum_quanta of row g, low ≤ g < high.  rows : (G,) uint64, addresses of float32 vectors
    (P,)."""
    for g in range(low, high):
        out[g] = sum_quanta(numba.carray(void_pointer(rows[g]), (paths,), np.float32))


@kernel
def sum_gains_of_rows(rows, base, paths, low, high, out):
    """out[g] = Σ_p (row_g − base_g), low ≤ g < high: each quantum in path order, then one quantum after the
    other (the engine's order).

    rows, base : (G,) uint64, addresses of float32 vectors (P,).  out : (G,).
    """
    quanta = (paths + QUANTUM - 1) // QUANTUM
    leaves = np.zeros(quanta)
    done = paths // QUANTUM // LANES * LANES
    for g in range(low, high):
        one = numba.carray(void_pointer(rows[g]), (paths,), np.float32)
        two = numba.carray(void_pointer(base[g]), (paths,), np.float32)
        for q in range(0, done, LANES):
            sum_block_of_gains(one, two, q * QUANTUM, leaves, q)
        for q in range(done, quanta):
            part = 0.0
            for i in range(q * QUANTUM, min((q + 1) * QUANTUM, paths)):
                part += np.float64(one[i]) - np.float64(two[i])
            leaves[q] = part
        total = 0.0
        for q in range(quanta):
            total += leaves[q]
        out[g] = total
