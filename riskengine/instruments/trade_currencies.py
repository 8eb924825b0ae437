"""The market of the day beside the words of a trade: dates, amounts, strikes; and trades in currencies.

The side and the size of a currency trade are those of the first currency of the pair.  A call on USD against
JPY with strike K is a put on JPY at 1/K for N K yen: N max(S − K, 0) yen are worth N K max(1/K − 1/S, 0)
dollars.
Strikes by delta use the forward delta N(d₁), not premium-adjusted.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from statistics import NormalDist

from riskengine.base.axes import CURRENCIES
from riskengine.base.dates import add_tenor
from riskengine.base.errors import InputError
from riskengine.instruments.options import STRIKE_RANGE
from riskengine.instruments.trade_reading import Reading
from riskengine.instruments.trade_words import amount_text
from riskengine.instruments.valuation import Valuation

LARGEST_USD = 1e11
"""A size beyond this is a slip of the keyboard."""


class TradeMarket:
    """The words of one trade against the market of the day."""

    def __init__(self, words: Reading, market: Valuation):
        self.words, self.market = words, market

    def _verb(self) -> str:
        return "buy" if self.words.side > 0 else "sell"

    def _day(self, wanted: str) -> date:
        w = self.words
        if w.day:
            return w.day
        if w.month:
            raise w.refuse("a month is not a date", "YYYY-MM-DD, or a tenor such as 3M")
        if not w.tenor:
            raise w.refuse("the date is missing", wanted)
        try:
            day = add_tenor(w.as_of, w.tenor)
        except (InputError, OverflowError):
            day = w.as_of + timedelta(days=40_000)
        if (day - w.as_of).days > 36_500:
            raise w.refuse("more than a century ahead", "3M, 10Y", got=w.tenor)
        return day

    def _check_later(self, day: date) -> None:
        if day <= self.words.as_of:
            raise self.words.refuse(f"{day} has expired: the book stands at {self.words.as_of}",
                                    f"a date after {self.words.as_of}")

    def _undated(self) -> None:
        w = self.words
        if w.tenor or w.day or w.month or w.strike is not None or w.relative or w.forward:
            raise w.refuse("a date or a strike that this holding does not have", "buy 20m REITs")

    def _only_long(self) -> None:
        if self.words.side < 0:
            raise self.words.refuse("property cannot be sold short",
                                    "to reduce what the book holds: --scale ID=0.5, "
                                    "or --remove ID")

    def _full_size(self, example: str) -> float:
        """An amount of money: with its unit, or written out."""
        value, scaled = self.words.amount
        if not scaled:
            raise self.words.refuse(f"{value:g} of what? an amount needs its unit", example, got=f"{value:g}")
        return value

    def _dollars(self) -> float:
        w = self.words
        if w.amount_currency not in ("", "USD"):
            raise w.refuse("US assets are sized in USD", "e.g. buy 250m UST 10Y", got=w.amount_currency)
        value = self._full_size("250m, 1.5bn, 250000000")
        self._check_usd(value)
        return value

    def _check_usd(self, dollars: float) -> None:
        if not 1.0 <= dollars <= LARGEST_USD:
            raise self.words.refuse("the size is out of range", "USD 1 … 100bn", got=f"USD {dollars:,.6g}")

    def _check_strike(self, strike: float, spot: float, name: str) -> None:
        low, high = STRIKE_RANGE
        if not (strike > 0 and low < strike / spot < high):
            other = strike > 0 and low < 1.0 / strike / spot < high
            hint = f"; {strike:g} looks like the inverse quote, {1 / strike:.6g}" if other else ""
            raise self.words.refuse(f"a strike of {strike:g} makes no sense for {name}",
                                    f"near {spot:.6g} (today), or ATM, ATMF, 98%, 25 delta{hint}",
                                    got=f"{strike:g}")

    def _strike(self, spot: float, forward: float, deviation: float, name: str) -> tuple[float, str]:
        w = self.words
        given = [x for x in (w.strike, w.relative or None, w.delta) if x is not None]
        if len(given) != 1:
            raise w.refuse("the strike is missing" if not given else "more than one strike",
                           f"{w.option} at {spot:.5g}, ATM, ATMF, 98% or 25 delta")
        if w.delta is not None:
            d1 = NormalDist().inv_cdf(w.delta) * (1.0 if w.option == "call" else -1.0)
            strike = forward * math.exp(0.5 * deviation**2 - d1 * deviation)
            return strike, f" ({100 * w.delta:g} delta of the forward {forward:.6g})"
        if w.relative:
            text = {"ATM": "100%", "ATMF": "100%F"}.get(w.relative, w.relative)
            of = forward if text.endswith("F") else spot
            share = float(text.rstrip("F").rstrip("%")) / 100.0
            self._check_strike(share * of, spot, name)
            return share * of, f" ({100 * share:g}% of the {'forward' if text.endswith('F') else 'spot'} {of:.6g})"
        self._check_strike(w.strike, spot, name)
        return w.strike, ""


class CurrencyTrades(TradeMarket):
    """Spot, forwards and options on a currency against the dollar."""

    def _fx(self) -> tuple[dict[str, str], str]:
        w, market = self.words, self.market
        base, quote = w.pair or (w.names["currency"], "USD")
        if "USD" not in (base, quote):
            raise self._cross(base, quote)
        currency = quote if base == "USD" else base
        if currency not in CURRENCIES:
            raise w.refuse(f"no data for {currency}", ", ".join(CURRENCIES))
        if w.amount_currency not in ("", base):
            raise w.refuse(
                f"the size is in {w.amount_currency}, but {self._verb()} {base}{quote} means {self._verb()} {base}",
                f"buy … {quote}{base} to buy {quote}, sell … {quote}{base} to sell it (then the size is in {quote})")
        amount = self._full_size(f"e.g. {self._verb()} 100m {base}{quote}")
        spot = market.spot(currency)
        shown_spot = spot if quote == "USD" else 1.0 / spot
        self._check_usd(amount * (1.0 if base == "USD" else spot))
        if w.option:
            return self._fx_option(base, quote, currency, amount, spot, shown_spot)
        if w.relative or w.delta is not None:
            raise w.refuse("strikes belong to options: say call or put",
                           f"buy 100m {base}{quote} ATM call 6M")
        dated = bool(w.tenor or w.day)
        if w.month:
            raise w.refuse("currencies settle on a date or tenor", "3M, or YYYY-MM-DD")
        if w.spot and (w.forward or dated):
            raise w.refuse("spot and forward at once", f"sell 500m {base}{quote} spot, or … 3M fwd")
        if w.forward and not dated:
            raise w.refuse("a forward needs its date",
                           f"{self._verb()} {amount_text(amount)} {base}{quote} 3M fwd")
        side = w.side if quote == "USD" else -w.side
        if not dated:
            if w.strike is not None:
                raise w.refuse("spot trades at the market: no rate is taken",
                               f"{base}{quote} {shown_spot:.5g}")
            foreign = amount if quote == "USD" else amount / spot
            cells = {"type": "fx_spot", "notional": repr(side * foreign), "currency": currency}
            return cells, (f"{self._verb()} {base} {amount_text(amount)} against {quote} at spot "
                           f"{base}{quote} {shown_spot:.6g}{self._foreign(currency, side * foreign, base)}")
        maturity = self._day("a date")
        t = market.years_to(maturity)
        forward = spot * math.exp(-market.short_rate(currency) * t) / market.discount(t)
        rate = forward
        cells = {"type": "fx_forward", "currency": currency, "maturity": maturity.isoformat()}
        if w.strike is not None:
            self._check_strike(w.strike, shown_spot, f"{base}{quote}")
            rate = w.strike if quote == "USD" else 1.0 / w.strike
            cells["forward_rate"] = repr(rate)
        foreign = amount if quote == "USD" else amount / rate
        cells["notional"] = repr(side * foreign)
        shown = rate if quote == "USD" else 1.0 / rate
        at = f"at {base}{quote} {shown:.6g}" + (" (today's forward" if w.strike is None
                                                else " (agreed rate") + \
            f", spot {shown_spot:.6g})"
        return cells, (f"{self._verb()} {base} {amount_text(amount)} against {quote} for delivery {maturity} "
                       f"{at}{self._foreign(currency, side * foreign, base)}")

    def _fx_option(
        self, base: str, quote: str, currency: str, amount: float, spot: float, shown_spot: float
    ) -> tuple[dict[str, str], str]:
        w, market = self.words, self.market
        if w.spot or w.forward:
            raise w.refuse("an option is neither spot nor forward", f"buy 100m {base}{quote} ATM call 6M")
        expiry = self._day(f"an expiry: buy 100m {base}{quote} ATM call 6M")
        t = market.years_to(expiry)
        forward = spot * math.exp(-market.short_rate(currency) * t) / market.discount(t)
        shown_forward = forward if quote == "USD" else 1.0 / forward
        sigma = market.implied_volatility(f"FX_{currency}", currency, "fx", t)
        strike, how = self._strike(shown_spot, shown_forward, sigma * math.sqrt(t), f"{base}{quote}")
        sign = 1.0 if w.option == "call" else -1.0
        own_sign, own_strike, foreign = sign, strike, amount
        if quote != "USD":
            own_sign, own_strike, foreign = -sign, 1.0 / strike, amount * strike
        cells = {"type": "fx_option", "currency": currency, "notional": repr(w.side * foreign),
                 "expiry": expiry.isoformat(), "strike": repr(own_strike),
                 "put_call": "call" if own_sign > 0 else "put"}
        same = "" if quote == "USD" else (f", i.e. a {cells['put_call']} on {currency} {amount_text(foreign)}")
        return cells, (f"{self._verb()} a European {w.option} on {base} {amount_text(amount)} against {quote}, "
                       f"strike {strike:.6g}{how}, expiry {expiry}{same}; spot {shown_spot:.6g}, "
                       f"implied volatility {100 * sigma:.1f}%")

    def _cross(self, base: str, quote: str) -> InputError:
        w, size = self.words, ""
        if w.amount:
            dollars = w.amount[0] * self.market.spot(base)
            first = f"{self._verb()} {amount_text(w.amount[0])} {base}USD"
            size = f": {first} … and {self._verb()} {dollars / 1e6:.4g}m USD{quote} …"
        return w.refuse(f"{base}{quote} is a cross: positions are priced against the dollar",
                        f"two trades{size}")

    @staticmethod
    def _foreign(currency: str, signed: float, base: str) -> str:
        """The leg in foreign currency, where the size was given in dollars."""
        if base != "USD":
            return ""
        return f", i.e. {'buy' if signed > 0 else 'sell'} {currency} {amount_text(signed)}"
