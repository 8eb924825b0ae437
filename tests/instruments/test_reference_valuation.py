"""The compiled book against a plain reference that values every position on every path by its terms."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from scipy.stats import norm

from riskengine.base.axes import FACTORS, KEY_RATES
from riskengine.base.dates import coupon_dates
from riskengine.base.units import Horizon
from riskengine.instruments import equity, fx, real_estate, treasury
from riskengine.instruments.portfolio import compile_book

HORIZONS = [None, Horizon(1, 1), Horizon(10, 1), Horizon(13, 5), Horizon(52, 5), Horizon(156, 5)]


class Reference:
    """Direct valuation in numpy: no legs, no groups, no kernel."""

    def __init__(self, snapshot, horizon, book, moves, fixing_moves):
        self.s, self.h, self.book = snapshot, 0.0 if horizon is None else horizon.years, book
        self.horizon, self.moves, self.fix = horizon, moves, fixing_moves
        self.as_of = date.fromisoformat(snapshot.as_of)

    def x(self, label):
        return self.moves[FACTORS.index(label)]

    def value_input(self, name):
        return self.s.inputs[name].value

    def zero(self, t, shocked):
        """(n,) or scalar zero rate at t."""
        base = np.interp(t, self.s.zero_tenors, self.s.zero_rates)
        if not shocked:
            return base
        nodes = np.array([self.x(f"UST_{k}") for k in KEY_RATES])
        tenors = list(KEY_RATES.values())
        return base + np.array([np.interp(t, tenors, column) for column in nodes.T])

    def df(self, t, shocked):
        return np.exp(-self.zero(t, shocked) * t)

    def years(self, day):
        return (day - self.as_of).days / 365.0

    def inside(self, t):
        return self.horizon is not None and t <= self.h

    def fixed(self, label, t):
        step = max(int(np.ceil(t / self.horizon.dt - 1e-9)) - 1, 0)
        return self.fix[self.book.fixings.index((FACTORS.index(label), step))]

    def sigma(self, label, name, kind, t):
        if f"implied_vol.{name}" in self.s.inputs:
            return self.value_input(f"implied_vol.{name}")
        v0, v, rho = (self.value_input(f"{i}.{label}") for i in ("vol_now", "vol_long_run", "vol_persistence"))
        n = max(260 * t, 1.0)
        variance = v**2 + (v0**2 - v**2) * (1 - rho**n) / n / (1 - rho)
        return np.sqrt(variance) + self.value_input(f"vol_premium.{kind}")

    def strike(self, strike, spot, income, t):
        forward = spot * np.exp((self.zero(t, False) - income) * t)
        return strike.value * {"level": 1.0, "spot": spot, "forward": forward}[strike.relative_to]

    def european(self, sign, label, name, kind, spot, income, expiry, strike):
        """(value today, value at the horizon (n,)) per unit."""
        t = self.years(expiry)
        k = self.strike(strike, spot, income, t)

        def black(s, tau, r, vol):
            forward = s * np.exp((r - income) * tau)
            d1 = (np.log(forward / k) + 0.5 * vol**2 * tau) / (vol * np.sqrt(tau))
            d2 = d1 - vol * np.sqrt(tau)
            return np.exp(-r * tau) * sign * (forward * norm.cdf(sign * d1) - k * norm.cdf(sign * d2))

        today = black(spot, t, self.zero(t, False), self.sigma(label, name, kind, t))
        if self.inside(t):
            return today, np.maximum(sign * (spot * np.exp(self.fixed(label, t)) - k), 0.0)
        tau = t - self.h
        vol = self.sigma(label, name, kind, tau) * np.exp(self.x(f"VOL_{kind.upper()}"))
        return today, black(spot * np.exp(self.x(label)), tau, self.zero(tau, True), vol)

    def pnl(self, deal):
        s, h = self.s, self.h
        match deal:
            case fx.FxSpot(currency, n):
                r = self.value_input(f"short_rate.{currency}")
                return n * s.spot[currency] * (np.exp(self.x(f"FX_{currency}") + r * h) - 1.0)
            case fx.FxForward(currency, n, maturity, rate):
                spot, r, t = s.spot[currency], self.value_input(f"short_rate.{currency}"), self.years(maturity)
                k = self.strike(rate, spot, r, t)
                today = spot * np.exp(-r * t) - k * self.df(t, False)
                if self.inside(t):
                    return n * (spot * np.exp(self.fixed(f"FX_{currency}", t)) - k - today)
                tau = t - h
                return n * (spot * np.exp(self.x(f"FX_{currency}") - r * tau) - k * self.df(tau, True) - today)
            case fx.FxOption(currency, n, expiry, strike, sign):
                today, later = self.european(sign, f"FX_{currency}", currency, "fx", s.spot[currency],
                                             self.value_input(f"short_rate.{currency}"), expiry, strike)
                return n * (later - today)
            case treasury.TreasuryBill(face, maturity):
                return self.flows([(self.years(maturity), face)])
            case treasury.TreasuryCouponBond(face, maturity, coupon, frequency):
                previous, *dates = coupon_dates(self.as_of, maturity, frequency)
                times = [self.years(d) for d in dates]
                if coupon == "par":
                    share = (self.as_of - previous).days / (dates[0] - previous).days
                    factors = [self.df(t, False) for t in times]
                    coupon = frequency * (1 - factors[-1]) / (sum(factors) - share)
                flows = [(t, face * coupon / frequency) for t in times]
                return self.flows([*flows, (times[-1], face)])
            case equity.EquityHolding(name, units, value):
                size = value if value is not None else units * self.value_input(f"level.{name}")
                return size * (np.exp(self.x(f"EQ_{name}") + self.value_input(f"dividend_yield.{name}") * h) - 1.0)
            case equity.EquityFuture(name, contracts, multiplier, expiry):
                spot, q, t = self.value_input(f"level.{name}"), self.value_input(f"dividend_yield.{name}"), 0.0
                t = self.years(expiry)
                agreed = spot * np.exp((self.zero(t, False) - q) * t)
                if self.inside(t):
                    settled = spot * np.exp(self.fixed(f"EQ_{name}", t))
                else:
                    tau = t - h
                    settled = spot * np.exp(self.x(f"EQ_{name}") + (self.zero(tau, True) - q) * tau)
                return contracts * multiplier * (settled - agreed)
            case equity.EquityOption(name, contracts, multiplier, expiry, strike, sign):
                today, later = self.european(sign, f"EQ_{name}", name, "equity", self.value_input(f"level.{name}"),
                                             self.value_input(f"dividend_yield.{name}"), expiry, strike)
                return contracts * multiplier * (later - today)
            case real_estate.Property():
                cap = deal.cap_rate or self.value_input(f"cap_rate.{deal.property_type}")
                debt = deal.debt if deal.ltv is None else deal.ltv * deal.noi / cap
                later = deal.noi / np.maximum(cap + self.x(f"CAP_{deal.property_type}"), 0.01)
                carry = (deal.noi - debt * deal.loan_rate) * h
                return deal.share * (np.maximum(later - debt, 0.0) - (deal.noi / cap - debt) + carry)
            case real_estate.Residential(metro, value, noi):
                return value * (np.exp(self.x(f"HOME_{metro}")) - 1.0) + noi * h
        raise AssertionError(deal)

    def flows(self, flows):
        total = np.zeros(self.moves.shape[1])
        for t, amount in flows:
            later = 1.0 if self.inside(t) else self.df(t - self.h, True)
            total = total + amount * (later - self.df(t, False))
        return total


@pytest.mark.parametrize("horizon", HORIZONS, ids=str)
@pytest.mark.parametrize("scale", [0.0, 1.0, 6.0])
def test_every_position_agrees_with_the_reference(portfolio, snapshot, draw_moves, horizon, scale):
    book = compile_book(portfolio, snapshot, horizon=horizon)
    moves = draw_moves(37, 7, scale)
    fixing_moves = draw_moves(37, 8, scale, rows=len(book.fixings))
    got = book.pnl_by_position(moves, fixing_moves)
    reference = Reference(snapshot, horizon, book, moves, fixing_moves)
    for i, position in enumerate(portfolio.positions):
        wanted = reference.pnl(position.instrument)
        size = np.maximum(np.abs(wanted), 0.01 * abs(book.notional[i]))
        assert np.max(np.abs(got[i] - wanted) / size) < 1e-10, position.position_id


def test_the_reference_sees_fixings(portfolio, snapshot):
    assert compile_book(portfolio, snapshot, horizon=Horizon(10, 1)).fixings
    assert len(compile_book(portfolio, snapshot, horizon=Horizon(156, 5)).fixings) > 20
