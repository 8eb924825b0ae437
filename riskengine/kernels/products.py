"""Products of a small matrix with a tile of paths, at the speed of the multiply-add units.

    X = L Z,   L (K, K) lower triangular,   Z, X (K, n) with the paths along a row

A 6 × 64-byte block of X stays in twelve vector registers while one row of Z after the other is multiplied in
(the register blocking of Goto and van de Geijn 2008, ACM TOMS 34).  Row block i … i + 5 of a triangular L
needs columns 0 … i + 5 only; the rest of the zero triangle is skipped.  Each entry is summed over columns
in ascending order by fused multiply-add: the same bits wherever the path stands in its tile.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from riskengine.kernels import kernel

MICRO_ROWS = 6
"""Rows of one register block."""
MICRO_BYTES = 64
"""Bytes of paths in one register block: 16 float32 or 8 float64."""


@intrinsic
def multiply_block(typing_context, packed, start, depth, z, x, row, column):
    """x[row : row + 6, column : column + lanes] = Σ_{k < depth} packed[start + 6k + (0 … 5)] · z[k,
    column : …].

    packed : 1-d, panels of MICRO_ROWS coefficients per k.  z, x : 2-d, C-contiguous, of the type of *packed*.
    """
    scalar = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}[packed.dtype]
    size = packed.dtype.bitwidth // 8
    lanes = MICRO_BYTES // size
    vector = ir.VectorType(scalar, lanes)
    index = ir.IntType(64)
    lane_zero = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)

    def generate(context, builder, signature, arguments):
        packed_type, _, _, z_type, x_type, _, _ = signature.args

        def structure(array_type, value):
            return context.make_array(array_type)(context, builder, value)

        def row_stride(array):
            return builder.extract_value(array.strides, 0)

        coefficients = structure(packed_type, arguments[0])
        source = structure(z_type, arguments[3])
        target = structure(x_type, arguments[4])
        start, depth, row, column = arguments[1], arguments[2], arguments[5], arguments[6]
        width = ir.Constant(index, size)
        z_step = row_stride(source)
        x_step = row_stride(target)

        def address(pointer, offset):
            return builder.add(builder.ptrtoint(pointer, index), offset)

        a_first = address(coefficients.data, builder.mul(start, width))
        z_first = address(source.data, builder.mul(column, width))
        x_first = builder.add(
            address(target.data, builder.mul(column, width)), builder.mul(row, x_step)
        )
        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f{8 * size}"
        )

        entry = builder.block
        loop = builder.append_basic_block("panel.loop")
        done = builder.append_basic_block("panel.done")
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(index)
        a = builder.phi(index)
        b = builder.phi(index)
        k.add_incoming(ir.Constant(index, 0), entry)
        a.add_incoming(a_first, entry)
        b.add_incoming(z_first, entry)
        sums = []
        for _ in range(MICRO_ROWS):
            total = builder.phi(vector)
            total.add_incoming(ir.Constant(vector, [0.0] * lanes), entry)
            sums.append(total)
        paths = builder.load(builder.inttoptr(b, vector.as_pointer()), align=size)
        after = []
        for r in range(MICRO_ROWS):
            place = builder.inttoptr(builder.add(a, ir.Constant(index, r * size)), scalar.as_pointer())
            spread = builder.insert_element(
                ir.Constant(vector, ir.Undefined), builder.load(place), ir.Constant(ir.IntType(32), 0)
            )
            spread = builder.shuffle_vector(spread, ir.Constant(vector, ir.Undefined), lane_zero)
            after.append(builder.call(multiply_add, [spread, paths, sums[r]]))
        k_next = builder.add(k, ir.Constant(index, 1))
        k.add_incoming(k_next, loop)
        a.add_incoming(builder.add(a, ir.Constant(index, MICRO_ROWS * size)), loop)
        b.add_incoming(builder.add(b, z_step), loop)
        for total, updated in zip(sums, after, strict=True):
            total.add_incoming(updated, loop)
        builder.cbranch(builder.icmp_signed("<", k_next, depth), loop, done)
        builder.position_at_end(done)
        for r in range(MICRO_ROWS):
            place = builder.add(x_first, builder.mul(ir.Constant(index, r), x_step))
            builder.store(after[r], builder.inttoptr(place, vector.as_pointer()), align=size)
        return context.get_dummy_value()

    integer = types.int64
    return types.void(packed, integer, integer, z, x, integer, integer), generate


def pack_rows(matrix: np.ndarray, dtype) -> np.ndarray:
    """Rows of *matrix* (R, K) in panels of six, column by column: the layout of multiply_block. Zero rows
    fill up.
    """
    rows, columns = matrix.shape
    panels = -(-rows // MICRO_ROWS)
    padded = np.zeros((panels * MICRO_ROWS, columns), dtype=dtype)
    padded[:rows] = matrix
    return np.ascontiguousarray(padded.reshape(panels, MICRO_ROWS, columns).transpose(0, 2, 1)).ravel()


@kernel
def multiply_triangular(packed, columns, z, x):
    """X = L Z for a packed lower triangular L with *columns* columns.

    packed : pack_rows(L).  z : (≥ columns, n).  x : (rows rounded up to a multiple of 6, n); n a multiple
    of the lanes (16 float32, 8 float64).  Vector form: x[:] = L @ z.
    """
    lanes = MICRO_BYTES // x.itemsize
    for column in range(0, x.shape[1], lanes):
        for row in range(0, x.shape[0], MICRO_ROWS):
            multiply_block(packed, row * columns, min(row + MICRO_ROWS, columns), z, x, row, column)


@kernel
def multiply(packed, columns, z, x):
    """X = A Z for a packed full matrix A (rows, columns); shapes as multiply_triangular."""
    lanes = MICRO_BYTES // x.itemsize
    for column in range(0, x.shape[1], lanes):
        for row in range(0, x.shape[0], MICRO_ROWS):
            multiply_block(packed, row * columns, columns, z, x, row, column)
