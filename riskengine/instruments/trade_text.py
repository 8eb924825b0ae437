"""What a trader types → a position, with a sentence that says precisely what was understood; or the reason
not.

    buy 250m UST 10Y             a new 10-year note at par
    sell 500m USDJPY 3M fwd      the side and the size are those of the first currency of the pair
    buy 100m EURUSD 1.25 call 6M
    short 2000 ES                front quarterly future
    buy 50m office NY cap 6.5%   value 50m, net operating income = value × cap rate
    short 10k dv01 UST 5y        face = DV01 / (value of one basis point of a unit of face)

Currencies and strikes: ``trade_currencies``.  Every position goes through the door of the portfolio files
(``parse_position``), so a sentence can build nothing that a file could not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from riskengine.base.axes import FACTORS, METROS
from riskengine.base.dates import parse_date
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import BASIS_POINT
from riskengine.instruments import trade_words as vocabulary
from riskengine.instruments.portfolio import Position, parse_position
from riskengine.instruments.trade_currencies import CurrencyTrades
from riskengine.instruments.trade_reading import read_words
from riskengine.instruments.trade_words import amount_text
from riskengine.instruments.treasury import TreasuryBill, TreasuryCouponBond, cash_flows
from riskengine.instruments.valuation import Valuation
from riskengine.market import MarketSnapshot

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


class _Builder(CurrencyTrades):
    """The words of one trade against the market of the day."""

    def build(self) -> tuple[dict[str, str], str]:
        w = self.words
        names = w.names
        kinds = [k for k in ("treasury", "index", "basket", "listed", "property", "residential")
                 if k in names]
        if w.future:
            kinds.append("future")
        if w.pair or "currency" in names:
            kinds.append("fx")
        if kinds == ["treasury", "index"] or len(kinds) > 1:
            raise w.refuse(f"two instruments in one sentence: {' and '.join(kinds)}",
                           "one sentence for each trade")
        if not kinds:
            raise w.refuse("the instrument is missing",
                           "UST 10Y, USDJPY 3M fwd, EURUSD 1.25 call 6M, ES, SPX, "
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
        cells = {"type": kind, "quantity": repr(w.side * face), "currency": "USD",
                 "maturity": maturity.isoformat()}
        rate = ""
        if not bill:
            cells["coupon"] = str(coupon)
            rate = " with a par coupon" if coupon == "par" else f" with a {100 * float(coupon):g}% coupon"
        sized = f" (DV01 {w.amount[0]:,.0f} USD per bp ÷ {dv01 * 1e6:,.1f} per million)" if w.dv01 else ""
        return cells, (f"{self._verb()} USD {amount_text(face)} face{sized} of a Treasury "
                       f"{kind.removeprefix('treasury_')} maturing {maturity}{rate}, "
                       f"price {100 * value:.3f} (dirty), DV01 {face * dv01:,.0f} USD per bp")

    # ---- equity -----------------------------------------------------------------------------------------
    def _future(self) -> tuple[dict[str, str], str]:
        w = self.words
        index, multiplier = vocabulary.FUTURES[w.future]
        level = self.market.level(index)
        contracts = w.amount[0]
        if w.amount_currency or contracts > 500_000:
            raise w.refuse("futures are sized in contracts",
                           f"{self._verb()} {w.amount[0] / level / multiplier:,.0f}"
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
                raise w.refuse("an index in cash has no date and no strike",
                               "short 2000 ES Dec for a future, "
                               "buy 500 SPX 5500 put 3M for an option")
            value = self._dollars()
            cells = {"type": "equity_index", "notional": repr(w.side * value), "currency": "USD",
                     "underlying": index}
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
