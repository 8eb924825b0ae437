"""Memory that begins on a cache line, and rows of a larger array as vectors of their own.

A vector of 64 bytes that begins on a line is loaded and stored at once; elsewhere it touches two lines, which
takes the arithmetic kernels a third more time.  A row of a cut (K, n) array, whose columns the compiler must
take for strided, is as fast as a vector once it is said to be one.
"""

from __future__ import annotations

import numba
import numpy as np

from riskengine.kernels import kernel
from riskengine.kernels.quanta import void_pointer

LINE = 64
"""Bytes."""


@kernel
def empty_rows(rows, columns, like):
    """(rows, columns) of the type of *like*, not filled, that begins on a cache line."""
    line = LINE // like.itemsize
    buffer = np.empty(rows * columns + line, dtype=like.dtype)
    start = (line - (buffer.ctypes.data // like.itemsize) % line) % line
    return buffer[start : start + rows * columns].reshape((rows, columns))


@kernel
def part_of_row(x, row, begin, width):
    """x[row, begin : begin + width] as a contiguous vector; neighbours in a row of *x* must be neighbours in
    memory."""
    place = x.ctypes.data + row * x.strides[0] + begin * x.itemsize
    return numba.carray(void_pointer(np.uint64(place)), (width,), x.dtype)
