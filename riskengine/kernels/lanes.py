"""Vector code for loops over draws: formulas on rows of numbers, written as on numbers.

The compiler cannot know that two arrays are apart, so a loop over many arrays stays scalar or is cut into
pieces.  An intrinsic loads LANES draws of every operand into registers, applies the formula and stores the
results; every operation belongs to one draw, so no bit depends on where the draw stands.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

LANES = 16
"""Draws of one vector operation."""
VECTOR, INDEX = ir.VectorType(ir.DoubleType(), LANES), ir.IntType(64)


class Lanes:
    """LANES float64 of an intrinsic under construction; formulas below read as on numbers."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value):
        self.builder, self.value = builder, value

    def _with(self, operation: str, other: Lanes) -> Lanes:
        return Lanes(self.builder, getattr(self.builder, operation)(self.value, other.value))

    def __add__(self, other: Lanes) -> Lanes:
        return self._with("fadd", other)

    def __sub__(self, other: Lanes) -> Lanes:
        return self._with("fsub", other)

    def __mul__(self, other: Lanes) -> Lanes:
        return self._with("fmul", other)

    def __truediv__(self, other: Lanes) -> Lanes:
        return self._with("fdiv", other)

    def __neg__(self) -> Lanes:
        return Lanes(self.builder, self.builder.fneg(self.value))

    def positive_or_zero(self) -> Lanes:
        """max(x, 0)."""
        zero = ir.Constant(VECTOR, [0.0] * LANES)
        above = self.builder.fcmp_ordered(">", self.value, zero)
        return Lanes(self.builder, self.builder.select(above, self.value, zero))

    def where_positive(self, sign: Lanes) -> Lanes:
        """x where *sign* > 0, else 0."""
        zero = ir.Constant(VECTOR, [0.0] * LANES)
        above = self.builder.fcmp_ordered(">", sign.value, zero)
        return Lanes(self.builder, self.builder.select(above, self.value, zero))


def spread(builder: ir.IRBuilder, number: ir.Value) -> Lanes:
    """One number in all lanes."""
    undefined = ir.Constant(VECTOR, ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    return Lanes(builder, builder.shuffle_vector(first, undefined, zeros))


class Rows:
    """Rows of lanes in a contiguous float64 array of any shape, addressed from element *start* on."""

    def __init__(self, context, builder: ir.IRBuilder, kind: types.Array, value: ir.Value, start: ir.Value):
        array = context.make_array(kind)(context, builder, value)
        self.builder, self.data, self.start = builder, array.data, start
        self.width = builder.extract_value(array.shape, kind.ndim - 1)

    def place(self, row: int | ir.Value, lane: ir.Value) -> ir.Value:
        """Address of *lane* in the row *row* rows further on."""
        builder = self.builder
        row = ir.Constant(INDEX, row) if isinstance(row, int) else row
        offset = builder.add(builder.add(self.start, builder.mul(row, self.width)), lane)
        return builder.bitcast(builder.gep(self.data, [offset]), VECTOR.as_pointer())

    def load(self, row: int | ir.Value, lane: ir.Value) -> Lanes:
        return Lanes(self.builder, self.builder.load(self.place(row, lane), align=8))

    def store(self, x: Lanes, row: int | ir.Value, lane: ir.Value) -> None:
        self.builder.store(x.value, self.place(row, lane), align=8)


def each_lane(body):
    """The code of an intrinsic: *body*(context, builder, kinds, arguments, lane) for every LANES draws of the
    count that is the last argument."""

    def generate(context, builder, signature, arguments):
        zero, step = ir.Constant(INDEX, 0), ir.Constant(INDEX, LANES)
        with cgutils.for_range_slice(builder, zero, arguments[-1], step, INDEX) as (lane, _):
            body(context, builder, signature.args, arguments, lane)
        return context.get_dummy_value()

    return generate
