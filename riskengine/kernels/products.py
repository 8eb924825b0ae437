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

from riskengine.kernels import FULL_VECTORS, kernel

MICRO_ROWS = 6
"""Rows of one register block."""
FEW_ROWS = 5
"""Rows of a smaller block, for row counts that fill it better."""
MICRO_BYTES = 64
"""Bytes of paths in one register block: 16 float32 or 8 float64."""
WIDE_BYTES = 128 if FULL_VECTORS else 64
"""The same where there are 32 registers of 64 bytes: twelve sums hide the latency of a multiply-add."""
QUADRATIC_BYTES = 128 if FULL_VECTORS else 32
"""Bytes of paths in a block that sums y and y² at once: 20 or 24 sums in registers of 64 bytes, 12 in 32."""
NARROW_QUADRATIC_BYTES = min(QUADRATIC_BYTES, MICRO_BYTES)
"""The same for what is left at the end of a row."""


def _block(width_bytes: int, squares: bool, rows: int = MICRO_ROWS):
    """An intrinsic for one register block of *width_bytes* of paths; with *squares* two sums a row.

    More than one register of paths is split by the compiler; each coefficient is spread once for all of them.
    """

    def generate_block(context, builder, signature, arguments):
        packed = signature.args[0]
        scalar = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}[packed.dtype]
        size = packed.dtype.bitwidth // 8
        lanes = width_bytes // size
        vector = ir.VectorType(scalar, lanes)
        index = ir.IntType(64)
        undefined = ir.Constant(vector, ir.Undefined)
        lane_zero = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        count = 2 if squares else 1
        tables = [context.make_array(t)(context, builder, v)
                  for t, v in zip(signature.args[:count], arguments[:count], strict=True)]
        start, depth = arguments[count], arguments[count + 1]
        source = context.make_array(signature.args[count + 2])(context, builder, arguments[count + 2])
        outs = [context.make_array(signature.args[count + 3 + j])(context, builder, arguments[count + 3 + j])
                for j in range(count)]
        row, column = arguments[-2], arguments[-1]
        width = ir.Constant(index, size)

        def row_stride(array):
            return builder.extract_value(array.strides, 0)

        def address(pointer, offset):
            return builder.add(builder.ptrtoint(pointer, index), offset)

        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f{8 * size}"
        )
        z_step = row_stride(source)
        a_first = [address(table.data, builder.mul(start, width)) for table in tables]
        z_first = address(source.data, builder.mul(column, width))

        entry = builder.block
        loop = builder.append_basic_block("panel.loop")
        done = builder.append_basic_block("panel.done")
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(index)
        k.add_incoming(ir.Constant(index, 0), entry)
        a = []
        for first in a_first:
            a.append(builder.phi(index))
            a[-1].add_incoming(first, entry)
        b = builder.phi(index)
        b.add_incoming(z_first, entry)
        sums = []
        for _ in range(rows * count):
            total = builder.phi(vector)
            total.add_incoming(ir.Constant(vector, [0.0] * lanes), entry)
            sums.append(total)
        paths = [builder.load(builder.inttoptr(b, vector.as_pointer()), align=size)]
        if squares:
            paths.append(builder.fmul(paths[0], paths[0]))
        after = []
        for j in range(count):
            for r in range(rows):
                place = builder.inttoptr(builder.add(a[j], ir.Constant(index, r * size)), scalar.as_pointer())
                zero = ir.Constant(ir.IntType(32), 0)
                spread = builder.insert_element(undefined, builder.load(place), zero)
                spread = builder.shuffle_vector(spread, undefined, lane_zero)
                after.append(builder.call(multiply_add, [spread, paths[j], sums[j * rows + r]]))
        k_next = builder.add(k, ir.Constant(index, 1))
        k.add_incoming(k_next, loop)
        for phi in a:
            phi.add_incoming(builder.add(phi, ir.Constant(index, rows * size)), loop)
        b.add_incoming(builder.add(b, z_step), loop)
        for total, updated in zip(sums, after, strict=True):
            total.add_incoming(updated, loop)
        builder.cbranch(builder.icmp_signed("<", k_next, depth), loop, done)
        builder.position_at_end(done)
        for j, out in enumerate(outs):
            x_step = row_stride(out)
            x_first = address(out.data, builder.mul(column, width))
            for r in range(rows):
                place = builder.add(x_first, builder.mul(builder.add(row, ir.Constant(index, r)), x_step))
                builder.store(after[j * rows + r], builder.inttoptr(place, vector.as_pointer()),
                              align=size)
        return context.get_dummy_value()

    return generate_block


_narrow = _block(MICRO_BYTES, squares=False)
_wide = _block(WIDE_BYTES, squares=False)


@intrinsic
def multiply_block(typing_context, packed, start, depth, z, x, row, column):
    """x[row : row + 6, column : column + lanes] = Σ_{k < depth} packed[start + 6k + (0 … 5)] · z[k,
    column : …].

    packed : 1-d, panels of MICRO_ROWS coefficients per k.  z, x : 2-d, C-contiguous, of the type of *packed*.
    """
    integer = types.int64
    return types.void(packed, integer, integer, z, x, integer, integer), _narrow


@intrinsic
def multiply_wide_block(typing_context, packed, start, depth, z, x, row, column):
    """multiply_block over WIDE_BYTES of paths: the same operations on each path."""
    integer = types.int64
    return types.void(packed, integer, integer, z, x, integer, integer), _wide


def _quadratic_block(rows: int, width_bytes: int):
    """multiply_block of *packed* with z into x, and of *packed_squares* with z² into y; panels of *rows*."""

    @intrinsic
    def multiply_quadratic_block(typing_context, packed, packed_squares, start, depth, z, x, y, row, column):
        integer = types.int64
        signature = types.void(packed, packed, integer, integer, z, x, x, integer, integer)
        return signature, _block(width_bytes, squares=True, rows=rows)

    return multiply_quadratic_block


_quadratic_six = _quadratic_block(MICRO_ROWS, QUADRATIC_BYTES)
_quadratic_six_narrow = _quadratic_block(MICRO_ROWS, NARROW_QUADRATIC_BYTES)
_quadratic_five = _quadratic_block(FEW_ROWS, QUADRATIC_BYTES)
_quadratic_five_narrow = _quadratic_block(FEW_ROWS, NARROW_QUADRATIC_BYTES)


def best_rows(rows: int) -> int:
    """Rows of a panel, MICRO_ROWS or FEW_ROWS, that leaves fewer zero rows in the last one."""
    return min((MICRO_ROWS, FEW_ROWS), key=lambda size: -(-rows // size) * size)


def pack_rows(matrix: np.ndarray, dtype, size: int = MICRO_ROWS) -> np.ndarray:
    """Rows of *matrix* (R, K) in panels of *size*, column by column: the layout of multiply_block. Zero rows
    fill up.
    """
    rows, columns = matrix.shape
    panels = -(-rows // size)
    padded = np.zeros((panels * size, columns), dtype=dtype)
    padded[:rows] = matrix
    return np.ascontiguousarray(padded.reshape(panels, size, columns).transpose(0, 2, 1)).ravel()


@kernel
def multiply_triangular(packed, columns, z, x):
    """X = L Z for a packed lower triangular L with *columns* columns.

    packed : pack_rows(L).  z : (≥ columns, n).  x : (rows rounded up to a multiple of 6, n); n a multiple
    of the lanes (16 float32, 8 float64).  Vector form: x[:] = L @ z.
    """
    lanes = MICRO_BYTES // x.itemsize
    wide = WIDE_BYTES // x.itemsize
    whole = x.shape[1] // wide * wide
    for column in range(0, whole, wide):
        for row in range(0, x.shape[0], MICRO_ROWS):
            multiply_wide_block(packed, row * columns, min(row + MICRO_ROWS, columns), z, x, row, column)
    for column in range(whole, x.shape[1], lanes):
        for row in range(0, x.shape[0], MICRO_ROWS):
            multiply_block(packed, row * columns, min(row + MICRO_ROWS, columns), z, x, row, column)


@kernel
def multiply(packed, columns, z, x):
    """X = A Z for a packed full matrix A (rows, columns); shapes as multiply_triangular."""
    lanes = MICRO_BYTES // x.itemsize
    wide = WIDE_BYTES // x.itemsize
    whole = x.shape[1] // wide * wide
    for column in range(0, whole, wide):
        for row in range(0, x.shape[0], MICRO_ROWS):
            multiply_wide_block(packed, row * columns, columns, z, x, row, column)
    for column in range(whole, x.shape[1], lanes):
        for row in range(0, x.shape[0], MICRO_ROWS):
            multiply_block(packed, row * columns, columns, z, x, row, column)


@kernel
def multiply_quadratic(packed, packed_squares, columns, size, z, x, y):
    """X = A Z and Y = B (Z ∘ Z) in one pass over Z; shapes as multiply_triangular, panels of *size* rows
    (best_rows)."""
    narrow = NARROW_QUADRATIC_BYTES // x.itemsize
    wide = QUADRATIC_BYTES // x.itemsize
    whole = x.shape[1] // wide * wide
    if size == FEW_ROWS:
        for column in range(0, whole, wide):
            for row in range(0, x.shape[0], FEW_ROWS):
                _quadratic_five(packed, packed_squares, row * columns, columns, z, x, y, row, column)
        for column in range(whole, x.shape[1], narrow):
            for row in range(0, x.shape[0], FEW_ROWS):
                _quadratic_five_narrow(packed, packed_squares, row * columns, columns, z, x, y, row, column)
    else:
        for column in range(0, whole, wide):
            for row in range(0, x.shape[0], MICRO_ROWS):
                _quadratic_six(packed, packed_squares, row * columns, columns, z, x, y, row, column)
        for column in range(whole, x.shape[1], narrow):
            for row in range(0, x.shape[0], MICRO_ROWS):
                _quadratic_six_narrow(packed, packed_squares, row * columns, columns, z, x, y, row, column)
