"""Elementary functions as straight-line arithmetic, so that loops over paths vectorise and repeat to the bit.

The vector units have no exp, log, sin or cos; a call to a mathematics library is scalar, and another
library gives other last bits.  Here each function is a range reduction by integer operations on the bits
of the number, one polynomial in Horner form with explicit fused multiply-add, and no branch.

Coefficients: log from fdlibm ``e_log.c`` (Sun Microsystems 1993) · float32 log, sin, cos from Cephes 2.8
(Moshier) · exp its Taylor series · normal distribution function: exp(x²/2)·Φ(−x)·(x + 5) as a polynomial
of degree 22 in (x − 5)/(x + 5), the map of Shepherd and Laframboise (1981, Math. Comp. 36), Chebyshev fit
in 60-digit arithmetic.

Accuracy (tests/kernels): log, exp ≤ 2 ulp; Φ ≤ 1e-15 absolute, ≤ 2e-15 relative down to x = −37.3.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from riskengine.kernels import inline

f32 = np.float32
u32 = np.uint32
u64 = np.uint64


# ---------------------------------------------------------------- bits, and integers that stay 32 bits
def _cast(operation: str, source, target, llvm_type):
    @intrinsic
    def cast(typing_context, x):
        def generate(context, builder, signature, arguments):
            return getattr(builder, operation)(arguments[0], llvm_type)

        return target(source), generate

    return cast


bits_of_float64 = _cast("bitcast", types.float64, types.uint64, ir.IntType(64))
float64_of_bits = _cast("bitcast", types.uint64, types.float64, ir.DoubleType())
bits_of_float32 = _cast("bitcast", types.float32, types.uint32, ir.IntType(32))
float32_of_bits = _cast("bitcast", types.uint32, types.float32, ir.FloatType())
low_word = _cast("trunc", types.uint64, types.uint32, ir.IntType(32))
"""The low 32 bits."""
float32_of_word = _cast("uitofp", types.uint32, types.float32, ir.FloatType())
"""Value of a word, rounded to nearest."""
_float32_of_signed = _cast("sitofp", types.uint32, types.float32, ir.FloatType())


def _word_operation(operation: str):
    """Numba widens uint32 arithmetic to 64 bits, which halves the lanes; these stay narrow (wrap-around)."""

    @intrinsic
    def operate(typing_context, x, y):
        def generate(context, builder, signature, arguments):
            return getattr(builder, operation)(arguments[0], arguments[1])

        return types.uint32(types.uint32, types.uint32), generate

    return operate


add32 = _word_operation("add")
sub32 = _word_operation("sub")
xor32 = _word_operation("xor")
and32 = _word_operation("and_")
or32 = _word_operation("or_")
shift_left32 = _word_operation("shl")
shift_right32 = _word_operation("lshr")


# ---------------------------------------------------------------- one rounding
@intrinsic
def fma(typing_context, a, b, c):
    """a·b + c with one rounding; all three float64 or all three float32."""
    if not (a == b == c and a in (types.float32, types.float64)):
        return None

    def generate(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return a(a, a, a), generate


@intrinsic
def square_root(typing_context, x):
    """Correctly rounded square root in the precision of *x*."""
    if x not in (types.float32, types.float64):
        return None

    def generate(context, builder, signature, arguments):
        function = builder.module.declare_intrinsic("llvm.sqrt", [arguments[0].type])
        return builder.call(function, arguments)

    return x(x), generate


# ---------------------------------------------------------------- float64
_EXPONENT = u64(0x4330_0000_0000_0000)
"""Bits of 2**52: OR-ing an integer below 2**52 into them gives the float 2**52 + integer."""
_TWO52 = 4503599627370496.0
_ROUND = 6755399441055744.0
"""1.5·2**52: adding and subtracting it rounds to an integer."""
_SQRT_HALF = u64(0x3FE6_A09E_667F_3BCD)
_ONE_LESS_SQRT_HALF = u64(0x3FF0_0000_0000_0000 - 0x3FE6_A09E_667F_3BCD)
_MANTISSA = u64(0x000F_FFFF_FFFF_FFFF)
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_INVERSE_SQRT_2PI = 0.3989422804014327


@inline
def float64_of_word(word):
    """Value of a 32-bit integer carried in a uint64, exact."""
    return float64_of_bits(word | _EXPONENT) - _TWO52


@inline
def log(x):
    """Natural logarithm of a positive normal float64; ≤ 2 ulp."""
    shifted = bits_of_float64(x) + _ONE_LESS_SQRT_HALF
    exponent = float64_of_bits((shifted >> u64(52)) | _EXPONENT) - (_TWO52 + 1023.0)
    f = float64_of_bits((shifted & _MANTISSA) + _SQRT_HALF) - 1.0
    s = f / (f + 2.0)
    z = s * s
    p = fma(z, 1.479819860511658591e-01, 1.531383769920937332e-01)
    p = fma(z, p, 1.818357216161805012e-01)
    p = fma(z, p, 2.222219843214978396e-01)
    p = fma(z, p, 2.857142874366239149e-01)
    p = fma(z, p, 3.999999999940941908e-01)
    p = fma(z, p, 6.666666666666735130e-01)
    half_square = 0.5 * f * f
    correction = fma(s, fma(z, p, half_square), exponent * _LN2_LOW)
    return fma(exponent, _LN2_HIGH, f - (half_square - correction))


@inline
def exp(x):
    """Exponential, ≤ 2 ulp for |x| ≤ 708; below −708 it is 0, above 709.7 it is inf (no subnormals)."""
    bounded = min(max(x, -708.0), 709.7)
    shifted = fma(bounded, 1.4426950408889634, _ROUND)
    n = shifted - _ROUND
    r = fma(n, -_LN2_LOW, fma(n, -_LN2_HIGH, bounded))
    p = fma(r, 1.6059043836821613e-10, 2.08767569878681e-09)
    p = fma(r, p, 2.505210838544172e-08)
    p = fma(r, p, 2.755731922398589e-07)
    p = fma(r, p, 2.7557319223985893e-06)
    p = fma(r, p, 2.48015873015873e-05)
    p = fma(r, p, 1.984126984126984e-04)
    p = fma(r, p, 1.3888888888888889e-03)
    p = fma(r, p, 8.333333333333333e-03)
    p = fma(r, p, 4.1666666666666664e-02)
    p = fma(r, p, 1.6666666666666666e-01)
    p = fma(r, p, 0.5)
    p = fma(r * r, p, r) + 1.0
    power = float64_of_bits((bits_of_float64(shifted) << u64(52)) + bits_of_float64(p))
    power = power if x >= -708.0 else 0.0
    power = power if x <= 709.7 else math.inf
    return power if x == x else x


@inline
def _tail_polynomial(t):
    """exp(a²/2) Φ(−a) (a + 5) at t = (a − 5)/(a + 5), 0 ≤ a ≤ 37.6."""
    p = fma(t, -7.854458583247658e-10, 5.059297487966696e-10)
    p = fma(t, p, 9.275082241537343e-09)
    p = fma(t, p, -5.027231930966982e-09)
    p = fma(t, p, -6.741689051823604e-08)
    p = fma(t, p, 3.5844546560871596e-08)
    p = fma(t, p, 4.3347664285137567e-07)
    p = fma(t, p, -3.311028544331811e-07)
    p = fma(t, p, -2.7688787836720915e-06)
    p = fma(t, p, 3.977938262343427e-06)
    p = fma(t, p, 1.6680852719925394e-05)
    p = fma(t, p, -4.976178374018789e-05)
    p = fma(t, p, -5.937558833377767e-05)
    p = fma(t, p, 0.0005448988347568596)
    p = fma(t, p, -0.0007978694277475297)
    p = fma(t, p, -0.0029933767389359726)
    p = fma(t, p, 0.02079506680323404)
    p = fma(t, p, -0.06911863870874183)
    p = fma(t, p, 0.16502036617019517)
    p = fma(t, p, -0.3135331566712172)
    p = fma(t, p, 0.4953056159699805)
    p = fma(t, p, -0.6653825028900576)
    p = fma(t, p, 0.769193049750063)
    return p


@inline
def normal_cdf(x):
    """Standard normal distribution function Φ(x); relative accuracy 2e-15 down to x = −37.3."""
    a = min(abs(x), 37.6)
    p = _tail_polynomial((a - 5.0) / (a + 5.0))
    square = a * a
    rounding = fma(a, a, -square)
    tail = exp(-0.5 * square) * fma(-0.5, rounding, 1.0) * p / (a + 5.0)
    value = tail if x < 0.0 else 1.0 - tail
    return value if x == x else x


@inline
def normal_pdf(x):
    """Standard normal density φ(x)."""
    return _INVERSE_SQRT_2PI * exp(-0.5 * x * x)


@inline
def sincos_turn(word):
    """(sin, cos) of 2π(word + ½)/2³², *word* a 32-bit integer in a uint64."""
    quadrant = (word + u64(0x2000_0000)) >> u64(30)
    offset = float64_of_bits(word | _EXPONENT) - float64_of_bits((quadrant << u64(30)) | _EXPONENT)
    x = (offset + 0.5) * (6.283185307179586 / 4294967296.0)
    z = x * x
    s = fma(z, 1.58962301576546568060e-10, -2.50507477628578072866e-08)
    s = fma(z, s, 2.75573136213857245213e-06)
    s = fma(z, s, -1.98412698295895385996e-04)
    s = fma(z, s, 8.33333333332211858878e-03)
    s = fma(z, s, -1.66666666666666307295e-01)
    s = fma(s * z, x, x)
    c = fma(z, -1.13585365213876817300e-11, 2.08757008419747316778e-09)
    c = fma(z, c, -2.75573141792967388112e-07)
    c = fma(z, c, 2.48015872888517045348e-05)
    c = fma(z, c, -1.38888888888730564116e-03)
    c = fma(z, c, 4.16666666666665929218e-02)
    c = fma(c * z, z, fma(z, -0.5, 1.0))
    odd = (quadrant & u64(1)) != u64(0)
    sine = c if odd else s
    cosine = s if odd else c
    sine_sign = (quadrant & u64(2)) << u64(62)
    cosine_sign = ((quadrant + u64(1)) & u64(2)) << u64(62)
    return (
        float64_of_bits(bits_of_float64(sine) ^ sine_sign),
        float64_of_bits(bits_of_float64(cosine) ^ cosine_sign),
    )


# ---------------------------------------------------------------- float32
@inline
def log32(x):
    """Natural logarithm of a positive normal float32; ≤ 2 ulp."""
    shifted = add32(bits_of_float32(x), u32(0x3F80_0000 - 0x3F35_04F3))
    biased = float32_of_bits(or32(shift_right32(shifted, u32(23)), u32(0x4B00_0000)))
    exponent = biased - f32(8388608.0 + 127.0)
    f = float32_of_bits(add32(and32(shifted, u32(0x007F_FFFF)), u32(0x3F35_04F3))) - f32(1.0)
    z = f * f
    p = fma(f, f32(7.0376836292e-2), f32(-1.1514610310e-1))
    p = fma(f, p, f32(1.1676998740e-1))
    p = fma(f, p, f32(-1.2420140846e-1))
    p = fma(f, p, f32(1.4249322787e-1))
    p = fma(f, p, f32(-1.6668057665e-1))
    p = fma(f, p, f32(2.0000714765e-1))
    p = fma(f, p, f32(-2.4999993993e-1))
    p = fma(f, p, f32(3.3333331174e-1))
    p = fma(exponent, f32(-2.12194440e-4), p * f * z)
    return fma(exponent, f32(0.693359375), f + fma(f32(-0.5), z, p))


@inline
def sincos_turn32(word):
    """(sin, cos) of 2π(word)/2³² in float32, *word* a uint32."""
    quadrant = shift_right32(add32(word, u32(0x2000_0000)), u32(30))
    offset = _float32_of_signed(sub32(word, shift_left32(quadrant, u32(30))))
    x = offset * f32(6.283185307179586 / 4294967296.0)
    z = x * x
    s = fma(z, f32(-1.9515295891e-4), f32(8.3321608736e-3))
    s = fma(z, s, f32(-1.6666654611e-1))
    s = fma(s * z, x, x)
    c = fma(z, f32(2.443315711809948e-5), f32(-1.388731625493765e-3))
    c = fma(z, c, f32(4.166664568298827e-2))
    c = fma(c * z, z, fma(z, f32(-0.5), f32(1.0)))
    odd = and32(quadrant, u32(1)) != u32(0)
    sine = c if odd else s
    cosine = s if odd else c
    sine_sign = shift_left32(and32(quadrant, u32(2)), u32(30))
    cosine_sign = shift_left32(and32(add32(quadrant, u32(1)), u32(2)), u32(30))
    return (
        float32_of_bits(xor32(bits_of_float32(sine), sine_sign)),
        float32_of_bits(xor32(bits_of_float32(cosine), cosine_sign)),
    )
