"""What a trader types → a position, with a sentence that says precisely what was understood; or the reason not.

    buy 250m UST 10Y             a new 10-year note at par
    sell 500m USDJPY 3M fwd      the side and the size are those of the first currency of the pair
    buy 100m EURUSD 1.25 call 6M
    short 2000 ES                front quarterly future
    buy 50m office NY cap 6.5%   value 50m, net operating income = value × cap rate
    short 10k dv01 UST 5y        face = DV01 / (value of one basis point of a unit of face)

A call on USD against JPY with strike K is a put on JPY at 1/K for N K yen: N max(S − K, 0) yen are worth
N K max(1/K − 1/S, 0) dollars.  Strikes by delta use the forward delta N(d₁), not premium-adjusted.  Every
position goes through the door of the portfolio files (``parse_position``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist

from riskengine.base.axes import CURRENCIES, FACTORS, METROS
from riskengine.base.dates import add_tenor, parse_date
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import BASIS_POINT
from riskengine.instruments import trade_words as vocabulary
from riskengine.instruments.options import STRIKE_RANGE
from riskengine.instruments.portfolio import Position, parse_position
from riskengine.instruments.trade_reading import Reading, read_words
from riskengine.instruments.trade_words import amount_text
from riskengine.instruments.treasury import TreasuryBill, TreasuryCouponBond, cash_flows
from riskengine.instruments.valuation import Valuation
from riskengine.market import MarketSnapshot

LARGEST_USD = 1e12
"""A size beyond this is a slip of the keyboard."""


@dataclass(frozen=True, slots=True)
class TradeDefaults:
    """Where a candidate trade is booked when the sentence does not say (``desk=rates``)."""

    desk: str = "what_if"
    book: str = "what_if"
    strategy: str = "what_if"


@dataclass(frozen=True, slots=True)
class ParsedTrade:
    """A position and 'understood as …' in words."""

    position: Position
    understood: str


def parse_trade(
    sentence: str, snapshot: MarketSnapshot, defaults: TradeDefaults = TradeDefaults(),
    position_id: str = "TRADE-1", tag_names: tuple[str, ...] = (),
) -> ParsedTrade:
    """Understand one trade at the snapshot's date.

    Raises
    ------
    InputError : which words were not understood or missing, what was expected, the nearest accepted form.
    """
    words = read_words(sentence, parse_date(snapshot.as_of))
    try:
        cells, understood = _Builder(words, Valuation(snapshot, FACTORS, None)).build()
        cells |= {"position_id": position_id, "desk": defaults.desk, "book": defaults.book,
                  "strategy": defaults.strategy, **words.labels}
        return ParsedTrade(parse_position(cells, snapshot.as_of, tag_names=tag_names), understood)
    except InputError as error:
        raise InputError([
            p if p.field == "trade" else Problem(
                f"{p.rule}{f' ({p.field})' if p.field else ''}", field="trade", got=p.got or words.text[:80],
                accepted=p.accepted)
            for p in error.problems
        ]) from None


class _Builder:
    """The words of one trade against the market of the day."""

    def __init__(self, words: Reading, market: Valuation):
        self.words, self.market = words, market

    def build(self) -> tuple[dict[str, str], str]:
        w = self.words
        names = w.names
        kinds = [k for k in ("treasury", "index", "basket", "listed", "property", "residential") if k in names]
        if w.future:
            kinds.append("future")
        if w.pair or "currency" in names:
            kinds.append("fx")
        if kinds == ["treasury", "index"] or len(kinds) > 1:
            raise w.refuse(f"two instruments in one sentence: {' and '.join(kinds)}", "one sentence for each trade")
        if not kinds:
            raise w.refuse("the instrument is missing", "UST 10Y, USDJPY 3M fwd, EURUSD 1.25 call 6M, ES, SPX, "
                           "exporters, REITs, office NY cap 6.5%, homes Miami")
        kind = kinds[0]
        if w.side == 0.0:
            raise w.refuse("the side is missing", f"buy {w.text.strip()[:60]}, or sell …")
        if w.amount is None:
            raise w.refuse("the size is missing", {
                "future": "a number of contracts: short 2000 ES", "fx": "e.g. sell 500m USDJPY 3M fwd"}.get(
                    kind, "e.g. buy 250m UST 10Y"))
        if not w.amount[0] > 0.0:
            raise w.refuse("the size must be positive", "buy or sell says the direction")
        if w.dv01 and kind != "treasury":
            raise w.refuse("a size in DV01 is for Treasuries", "short 10k dv01 UST 5y")
        if w.option and kind not in ("fx", "index"):
            raise w.refuse(f"options are priced on currencies and on SPX and NDX, not on this ({kind})",
                           "buy 500 SPX 5500 put 3M, buy 100m EURUSD 1.25 call 6M")
        if "metro" in names and kind not in ("property", "residential"):
            raise w.refuse("a place belongs to property only", "buy 50m office NY cap 6.5%")
        unused = {"CAP", "LTV", "LOAN"} & set(w.rates)
        if unused and kind != "property":
            raise w.refuse(f"{', '.join(sorted(unused)).lower()} belong to commercial property only",
                           "buy 50m office NY cap 6.5% ltv 50% loan 5.5%")
        if {"COUPON", "PAR"} & set(w.rates) and kind != "treasury":
            raise w.refuse("a rate that this instrument does not have", "coupons belong to Treasuries: "
                           "buy 250m UST 4.25% 2034-08-15")
        return getattr(self, f"_{kind}")()

    # ---- Treasuries -------------------------------------------------------------------------------------
    def _treasury(self) -> tuple[dict[str, str], str]:
        w, market = self.words, self.market
        maturity = self._day("a maturity: UST 10Y, or UST 4.25% 2034-08-15")
        years = market.years_to(maturity)
        bill = w.names["treasury"] in vocabulary.BILLS or ("COUPON" not in w.rates and years <= 1.01)
        if bill and years > 1.01:
            raise w.refuse("a bill matures within a year", "buy 250m UST 10Y")
        if w.names["treasury"] in vocabulary.BILLS and "COUPON" in w.rates:
            raise w.refuse("a bill has no coupon", "buy 100m T-bill 6M")
        if years > 31.0:
            raise w.refuse("the longest Treasury is 30 years", "UST 30Y")
        coupon: float | str = w.rates.get("COUPON", "par")
        deal = TreasuryBill(1.0, maturity) if bill else TreasuryCouponBond(1.0, maturity, coupon)
        flows = cash_flows(deal, market)
        value = sum(cash * market.discount(t) for t, cash in flows)
        dv01 = sum(cash * market.discount(t) * t for t, cash in flows) * BASIS_POINT
        face = w.amount[0] / dv01 if w.dv01 else self._dollars()
        kind = "treasury_bill" if bill else "treasury_note" if years <= 10.01 else "treasury_bond"
        cells = {"type": kind, "quantity": repr(w.side * face), "currency": "USD", "maturity": maturity.isoformat()}
        rate = ""
        if not bill:
            cells["coupon"] = str(coupon)
            rate = " with a par coupon" if coupon == "par" else f" with a {100 * float(coupon):g}% coupon"
        sized = f" (DV01 {w.amount[0]:,.0f} USD per bp ÷ {dv01 * 1e6:,.1f} per million)" if w.dv01 else ""
        return cells, (f"{self._verb()} USD {amount_text(face)} face{sized} of a Treasury "
                       f"{kind.removeprefix('treasury_')} maturing {maturity}{rate}, "
                       f"price {100 * value:.3f} (dirty), DV01 {face * dv01:,.0f} USD per bp")

    # ---- currencies -------------------------------------------------------------------------------------
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
            raise w.refuse("strikes belong to options: say call or put", f"buy 100m {base}{quote} ATM call 6M")
        dated = bool(w.tenor or w.day)
        if w.month:
            raise w.refuse("currencies settle on a date or tenor", "3M, or YYYY-MM-DD")
        if w.spot and (w.forward or dated):
            raise w.refuse("spot and forward at once", f"sell 500m {base}{quote} spot, or … 3M fwd")
        if w.forward and not dated:
            raise w.refuse("a forward needs its date", f"{self._verb()} {amount_text(amount)} {base}{quote} 3M fwd")
        side = w.side if quote == "USD" else -w.side
        if not dated:
            if w.strike is not None:
                raise w.refuse("spot trades at the market: no rate is taken", f"{base}{quote} {shown_spot:.5g}")
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
        at = f"at {base}{quote} {shown:.6g}" + (" (today's forward" if w.strike is None else " (agreed rate") + \
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
        return w.refuse(f"{base}{quote} is a cross: positions are priced against the dollar", f"two trades{size}")

    # ---- equity -----------------------------------------------------------------------------------------
    def _future(self) -> tuple[dict[str, str], str]:
        w = self.words
        index, multiplier = vocabulary.FUTURES[w.future]
        level = self.market.level(index)
        contracts = w.amount[0]
        if w.amount_currency or contracts > 500_000:
            raise w.refuse("futures are sized in contracts", f"{self._verb()} {w.amount[0] / level / multiplier:,.0f}"
                           f" {w.future} is about USD {amount_text(w.amount[0])}")
        expiry = w.day or (self._day("") if w.tenor else vocabulary.quarterly_expiry(
            self.words.as_of, *(w.month or (None, None))))
        if w.month and w.month[0] not in (3, 6, 9, 12):
            raise w.refuse("index futures expire in March, June, September and December", f"{w.future} Dec")
        self._check_later(expiry)
        self._check_usd(contracts * multiplier * level)
        cells = {"type": "equity_future", "quantity": repr(w.side * contracts), "currency": "USD",
                 "underlying": index, "multiplier": f"{multiplier:g}", "expiry": expiry.isoformat()}
        return cells, (f"{self._verb()} {contracts:,.0f} {w.future} futures (USD {multiplier:g} × {index}) "
                       f"expiring {expiry}; index {level:,.2f}, notional USD "
                       f"{amount_text(contracts * multiplier * level)}")

    def _index(self) -> tuple[dict[str, str], str]:
        w, market = self.words, self.market
        index = vocabulary.INDEX_WORDS[w.names["index"]]
        level = market.level(index)
        if not w.option:
            if w.tenor or w.day or w.month or w.forward or w.strike is not None or w.relative:
                raise w.refuse("an index in cash has no date and no strike", "short 2000 ES Dec for a future, "
                               "buy 500 SPX 5500 put 3M for an option")
            value = self._dollars()
            cells = {"type": "equity_index", "notional": repr(w.side * value), "currency": "USD", "underlying": index}
            return cells, (f"{self._verb()} USD {amount_text(value)} of {index} in cash at index {level:,.2f}")
        expiry = w.day or (vocabulary.quarterly_expiry(w.as_of, *w.month) if w.month else self._day(
            "an expiry: buy 500 SPX 5500 put 3M"))
        self._check_later(expiry)
        t = market.years_to(expiry)
        forward = level * math.exp(-market.input(f"dividend_yield.{index}") * t) / market.discount(t)
        sigma = market.implied_volatility(f"EQ_{index}", index, "equity", t)
        strike, how = self._strike(level, forward, sigma * math.sqrt(t), index)
        contracts = w.amount[0]
        sized = ""
        if w.amount[1] or w.amount_currency:
            contracts = w.amount[0] / (vocabulary.OPTION_MULTIPLIER * level)
            sized = f" (USD {amount_text(w.amount[0])} ÷ {vocabulary.OPTION_MULTIPLIER:g} × {level:,.2f})"
        self._check_usd(contracts * vocabulary.OPTION_MULTIPLIER * level)
        cells = {"type": "equity_option", "quantity": repr(w.side * contracts), "currency": "USD",
                 "underlying": index, "multiplier": f"{vocabulary.OPTION_MULTIPLIER:g}",
                 "expiry": expiry.isoformat(), "strike": repr(strike), "put_call": w.option}
        return cells, (f"{self._verb()} {contracts:,.6g} European {w.option}s{sized} on {index} "
                       f"(USD {vocabulary.OPTION_MULTIPLIER:g} a point), strike {strike:,.6g}{how}, expiry {expiry}; "
                       f"index {level:,.2f}, implied volatility {100 * sigma:.1f}%")

    def _basket(self) -> tuple[dict[str, str], str]:
        name = vocabulary.BASKETS[self.words.names["basket"]]
        return self._holding({"type": "equity_basket", "underlying": name}, f"the basket {name.lower()}")

    def _listed(self) -> tuple[dict[str, str], str]:
        return self._holding({"type": "listed_real_estate"}, "listed real estate (REITs)")

    def _holding(self, cells: dict[str, str], name: str) -> tuple[dict[str, str], str]:
        self._undated()
        value = self._dollars()
        return cells | {"notional": repr(self.words.side * value), "currency": "USD"}, (
            f"{self._verb()} USD {amount_text(value)} market value of {name}")

    # ---- property ---------------------------------------------------------------------------------------
    def _property(self) -> tuple[dict[str, str], str]:
        w = self.words
        self._undated()
        self._only_long()
        kind = vocabulary.PROPERTY[w.names["property"]]
        value = self._dollars()
        given = w.rates.get("CAP")
        cap = self.market.input(f"cap_rate.{kind}") if given is None else given
        if not 0.01 <= cap <= 0.3:
            raise w.refuse("a cap rate lies between 1% and 30%", "cap 6.5%", got=f"{100 * cap:g}%")
        ltv, loan = w.rates.get("LTV", 0.0), w.rates.get("LOAN")
        if ltv and loan is None:
            raise w.refuse("debt needs its interest rate", f"ltv {100 * ltv:g}% loan 5.5%")
        if loan is not None and not ltv:
            raise w.refuse("a loan rate needs the loan", "ltv 50% loan 5.5%")
        cells = {"type": "property", "quantity": "1", "currency": "USD", "property_type": kind,
                 "noi": repr(value * cap), "cap_rate": repr(cap)}
        if ltv:
            cells |= {"ltv": repr(ltv), "loan_rate": repr(loan)}
        place = f" in {vocabulary.METROS[w.names['metro']].replace('_', ' ').title()}" if "metro" in w.names else ""
        debt = f", debt {100 * ltv:g}% at {100 * loan:g}%, equity USD {amount_text(value * (1 - ltv))}" if ltv else ""
        source = "" if given is not None else " (market input)"
        return cells, (f"buy {kind.lower()} property{place} worth USD {amount_text(value)}, cap rate "
                       f"{100 * cap:g}%{source}, net operating income USD {amount_text(value * cap)} a year{debt}"
                       + ("; cap rates are national, the place changes nothing" if place else ""))

    def _residential(self) -> tuple[dict[str, str], str]:
        w = self.words
        self._undated()
        self._only_long()
        if "metro" not in w.names:
            raise w.refuse("where are the homes?", ", ".join(m.replace("_", " ").title() for m in METROS))
        metro = vocabulary.METROS[w.names["metro"]]
        value = self._dollars()
        cells = {"type": "residential", "notional": repr(value), "currency": "USD", "metro": metro}
        return cells, (f"buy homes worth USD {amount_text(value)}, index {metro.replace('_', ' ').title()}, "
                       "without net rent and without debt")

    # ---- parts ------------------------------------------------------------------------------------------
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
            raise self.words.refuse("property cannot be sold short", "to reduce what the book holds: --scale ID=0.5, "
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
            raise self.words.refuse("the size is out of range", "USD 1 … 1,000bn", got=f"USD {dollars:,.6g}")

    def _check_strike(self, strike: float, spot: float, name: str) -> None:
        low, high = STRIKE_RANGE
        if not (strike > 0 and low < strike / spot < high):
            other = strike > 0 and low < 1.0 / strike / spot < high
            hint = f"; {strike:g} looks like the inverse quote, {1 / strike:.6g}" if other else ""
            raise self.words.refuse(f"a strike of {strike:g} makes no sense for {name}",
                                    f"near {spot:.6g} (today), or ATM, ATMF, 98%, 25 delta{hint}", got=f"{strike:g}")

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

    @staticmethod
    def _foreign(currency: str, signed: float, base: str) -> str:
        """The leg in foreign currency, where the size was given in dollars."""
        if base != "USD":
            return ""
        return f", i.e. {'buy' if signed > 0 else 'sell'} {currency} {amount_text(signed)}"
