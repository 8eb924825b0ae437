"""The words of one trade, sorted by what they are: side, sizes, dates, rates, names.  No market is needed.

Every word ends in exactly one place; a word that no rule takes is reported: nothing typed is ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

from riskengine.base.axes import CURRENCIES
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.instruments import trade_words as vocabulary
from riskengine.instruments.trade_words import currency_of, full_year, read_amount, visible

MOST_CHARACTERS = 200
EXAMPLES = ("buy 250m UST 10Y · sell 500m USDJPY 3M fwd · buy 100m EURUSD 1.25 call 6M · short 2000 ES · "
            "buy 50m office NY cap 6.5%")
_ALLOWED = re.compile(r"^[A-Z0-9 .,%/@+\-&$€£¥'()=:#_Δ]*$")
_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_SCALE = "|".join(sorted((s for s in vocabulary.SCALES if s != "M"), key=len, reverse=True))
_TENOR = "|".join(sorted(vocabulary.TENOR_UNITS, key=len, reverse=True))
_MONTH = "|".join(sorted(vocabulary.MONTHS, key=len, reverse=True))
_PAIR = r"(?<![\w.])([A-Z]{3})[/\-]?([A-Z]{3})(?![\w.])"
_SYMBOLS = {"$": " USD ", "€": " EUR ", "£": " GBP ", "¥": " JPY "}


@dataclass(slots=True)
class Reading:
    """A sentence taken apart.

    side : +1 buy, −1 sell.  amount : (value, scaled) of the size; scaled: written with k, m, bn or ≥ 10,000.
    amount_currency : named beside the size.  pair : (base, quote).  tenor : '3M'.  day : a date.
    month : (month, year or None) of a quarterly expiry.  strike : level.  relative : ATM, ATMF, 98%, 102%F.
    delta : 0.25.  names : instrument words.  rates : 'CAP', 'LTV', 'LOAN', 'COUPON' as decimals.
    """

    text: str
    as_of: date
    side: float = 0.0
    amount: tuple[float, bool] | None = None
    amount_currency: str = ""
    dv01: bool = False
    pair: tuple[str, str] | None = None
    tenor: str = ""
    day: date | None = None
    month: tuple[int, int | None] | None = None
    strike: float | None = None
    relative: str = ""
    delta: float | None = None
    option: str = ""
    forward: bool = False
    spot: bool = False
    future: str = ""
    names: dict[str, str] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def refuse(self, rule: str, accepted: str = EXAMPLES, got: str = "") -> InputError:
        """An error about this sentence."""
        return InputError(Problem(rule, field="trade", got=got or visible(self.text), accepted=accepted))


def read_words(sentence: object, as_of: date) -> Reading:
    """Take a sentence apart; InputError names the words that were not understood."""
    if not isinstance(sentence, str):
        raise InputError(Problem("a trade is a sentence", field="trade", got=type(sentence).__name__,
                                 accepted=EXAMPLES))
    found = Reading(sentence, as_of)
    if not sentence.strip():
        raise InputError(Problem("the trade is empty", field="trade", accepted=EXAMPLES))
    if len(sentence) > MOST_CHARACTERS:
        raise found.refuse(f"a trade is one short sentence; this one has {len(sentence):,} characters")
    rest = _Rest(sentence, found)
    rest.read_labels()
    rest.refuse_foreign_words()
    rest.read_dates()
    rest.read_pair()
    rest.read_option_terms()
    rest.read_rates()
    rest.read_names()
    rest.read_sizes()
    rest.read_side()
    rest.finish()
    return found


class _Rest:
    """What is left of a sentence; ``take`` cuts the first match out."""

    def __init__(self, sentence: str, found: Reading):
        self.found = found
        text = " ".join(sentence.upper().replace("−", "-").replace("–", "-").split())
        if not _ALLOWED.match(text):
            shown = " ".join(visible(c) for c in sorted({c for c in text if not _ALLOWED.match(c)})[:5])
            raise found.refuse(f"characters that no trade has: {shown}")
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
        for symbol, word in _SYMBOLS.items():
            text = text.replace(symbol, word)
        text = re.sub(r"[(),:]", " ", text)
        text = re.sub(rf"(?<![\w.])({_NUMBER}) (K|M|MM|MN|BN|B)(?= )", r"\1\2", text)
        text = f" {' '.join(text.split())} "
        for phrase, word in vocabulary.PHRASES.items():
            text = text.replace(f" {phrase} ", f" {word} ")
        self.text = text
        self.leading = re.match(rf" (?:(?:{'|'.join((*vocabulary.BUY, *vocabulary.SELL))}|[+-]) )?(?:[A-Z]{{3}} )?"
                                rf"[+-]?(?:{_NUMBER})M ", text) is not None

    def take(self, pattern: str) -> re.Match[str] | None:
        """The first match between word boundaries, cut out."""
        match = re.search(rf"(?<![\w.]){pattern}(?![\w.])", self.text)
        if match:
            self.text = f"{self.text[:match.start()]} {self.text[match.end():]}"
        return match

    # ---- one kind of word each ---------------------------------------------------------------------------
    def read_labels(self) -> None:
        while match := self.take(r"(DESK|BOOK|STRATEGY) ?= ?([A-Z0-9_\-]{1,40})"):
            self.found.labels[match[1].lower()] = match[2].lower()

    def refuse_foreign_words(self) -> None:
        for word in self.text.split():
            plain = word.strip("'.")
            if plain in vocabulary.REFUSED:
                reason, accepted = vocabulary.REFUSED[plain]
                raise self.found.refuse(reason, accepted, got=visible(plain))
        sides = re.findall(r"(?<!\w)(?:BUY|SELL|LONG|SHORT|BOUGHT|SOLD|BOT)(?!\w)", self.text)
        if len(sides) > 1:
            both = len(set(sides)) > 1 or re.search(r" (?:AND|&|;|\+|THEN) ", self.text)
            rule = "two trades in one sentence" if both else "the side is given twice"
            raise self.found.refuse(rule, "one sentence for each trade: --trade \"…\" --trade \"…\"")
        if re.search(r" (?:AND|&|THEN|OR) ", self.text):
            raise self.found.refuse("two instruments in one sentence",
                                    "one sentence for each trade: --trade \"…\" --trade \"…\"")

    def read_dates(self) -> None:
        found, days = self.found, []
        while match := self.take(r"(\d{4})-(\d{1,2})-(\d{1,2})"):
            days.append(self._day(int(match[1]), int(match[2]), int(match[3]), match[0]))
        while match := self.take(rf"(\d{{1,2}})[ -]?({_MONTH})[ -]?(\d{{4}}|'?\d{{2}})"):
            year = full_year(match[3].strip("'"), found.as_of)
            days.append(self._day(year, vocabulary.MONTHS[match[2]], int(match[1]), match[0]))
        if match := self.take(r"(\d{1,2})/(\d{1,2})/(\d{2,4})"):
            raise found.refuse("this date can be read in two ways", "YYYY-MM-DD", got=visible(match[0]))
        if match := self.take(rf"({_MONTH})(?:[ -]?(\d{{4}}|'\d{{2}})|(\d{{2}}))?"):
            year = match[2] or match[3]
            found.month = (vocabulary.MONTHS[match[1]],
                           full_year(year.strip("'"), found.as_of) if year else None)
        if len(days) > 1 or (days and found.month):
            raise found.refuse("more than one date", "one expiry or maturity")
        if days:
            found.day = days[0]
            if days[0] <= found.as_of:
                raise found.refuse(f"{days[0]} has expired: the book stands at {found.as_of}",
                                   f"a date after {found.as_of}", got=visible(found.text))

    def _day(self, year: int, month: int, day: int, shown: str) -> date:
        try:
            return date(year, month, day)
        except ValueError:
            raise self.found.refuse("no such date", "YYYY-MM-DD", got=visible(shown)) from None

    def read_pair(self) -> None:
        found = self.found
        for word in self.text.split():
            if len(vocabulary.NICKNAMES.get(word, "")) == 6:
                self.text = self.text.replace(f" {word} ", f" {vocabulary.NICKNAMES[word]} ", 1)
        pairs = [(currency_of(m[0]), currency_of(m[1])) for m in re.findall(_PAIR, self.text)
                 if currency_of(m[0]) or currency_of(m[1]) or "USD" in m]
        spaced = re.search(r"(?<![\w.])([A-Z]{3}) ([A-Z]{3})(?![\w.])", self.text)
        if not pairs and spaced and currency_of(spaced[1]) and currency_of(spaced[2]) and spaced[1] != spaced[2]:
            before = self.text[: spaced.start()].split()
            if not (before and re.search(r"\d", before[-1]) and "USD" not in spaced.groups()):
                self.text = f"{self.text[:spaced.start()]} {spaced[1]}/{spaced[2]} {self.text[spaced.end():]}"
        match = None
        for candidate in re.finditer(_PAIR, self.text):
            if currency_of(candidate[1]) and currency_of(candidate[2]):
                match = candidate
                break
            if "USD" in candidate.groups() or (candidate[0][3] in "/-" and (currency_of(candidate[1]) or currency_of(candidate[2]))):
                strange = candidate[1] if not currency_of(candidate[1]) else candidate[2]
                raise found.refuse(f"unknown currency {strange}", suggest(strange, CURRENCIES, 21))
        if match is None:
            return
        found.pair = (currency_of(match[1]), currency_of(match[2]))
        self.text = f"{self.text[:match.start()]} {self.text[match.end():]}"
        if found.pair[0] == found.pair[1]:
            raise found.refuse("a pair has two different currencies", "e.g. USDJPY")
        again = re.search(_PAIR, self.text)
        if again and currency_of(again[1]) and currency_of(again[2]):
            raise found.refuse("two currency pairs in one sentence", "one sentence for each trade")

    def read_option_terms(self) -> None:
        found = self.found
        glued = re.search(rf"(?<![\w.])({_NUMBER})([CP])(?![\w.])", self.text)
        if glued:
            word = "CALL" if glued[2] == "C" else "PUT"
            self.text = f"{self.text[:glued.start()]} {glued[1]} {word} {self.text[glued.end():]}"
        kinds = [self.take(word) for word in vocabulary.OPTION_WORDS for _ in range(2)]
        kinds = [vocabulary.OPTION_WORDS[m[0]] for m in kinds if m]
        if len(kinds) > 1:
            raise found.refuse("more than one option", "one sentence for each leg")
        found.option = kinds[0] if kinds else ""
        if match := self.take(rf"({_NUMBER}) ?-?(?:DELTA|Δ)"):
            found.delta = _percent_or_share(float(match[1]))
        elif found.option and (match := self.take(rf"({_NUMBER})D")):
            found.delta = _percent_or_share(float(match[1]))
        if found.delta is not None and not 0.01 <= found.delta <= 0.99:
            raise found.refuse("a delta lies between 1 and 99", "e.g. 25 delta call")
        if match := self.take("(ATMF|ATM)"):
            found.relative = match[1]
        if found.option and (match := self.take(rf"({_NUMBER})% ?(OTM|ITM)")):
            away = float(match[1]) / 100.0 * (1.0 if (match[2] == "OTM") == (found.option == "call") else -1.0)
            found.relative = f"{100.0 * (1.0 + away):.10g}%"
        if match := self.take(rf"(?:@|STRIKE|STRUCK AT|STRUCK|K ?=|K|AT) ?({_NUMBER})(?!%)"):
            found.strike = float(match[1])

    def read_rates(self) -> None:
        found = self.found
        for name in ("CAP", "LTV", "LOAN"):
            match = self.take(rf"{name} ?=? ?({_NUMBER})(%?)") or self.take(rf"({_NUMBER})(%?) {name}")
            if match:
                value = float(match[1])
                found.rates[name] = value / 100.0 if match[2] or value >= 1.0 else value
        if self.take("PAR"):
            found.rates["PAR"] = 1.0
        if match := vocabulary.FRACTION.search(self.text):
            found.rates["COUPON"] = (int(match[1]) + int(match[2]) / int(match[3])) / 100.0
            self.text = f"{self.text[:match.start()]} {self.text[match.end():]}"
        while match := re.search(rf"(?<![\w.])({_NUMBER}) ?%(F?)(?![\w.])", self.text):
            self.text = f"{self.text[:match.start()]} {self.text[match.end():]}"
            if found.option and not found.relative:
                found.relative = f"{match[1]}%{match[2]}"
            elif "COUPON" not in found.rates and not found.option:
                found.rates["COUPON"] = float(match[1]) / 100.0
            else:
                raise found.refuse("a percentage too many", "one coupon, or one strike", got=visible(match[0]))

    def read_names(self) -> None:
        found = self.found
        if match := self.take(r"(ES|NQ|MES|MNQ)([HMUZ])(\d{1,2})"):
            found.future = match[1]
            found.month = (vocabulary.MONTH_CODES[match[2]], full_year(match[3], found.as_of))
        words = [w.strip("'.#") for w in self.text.split()]
        tables = (("future", dict.fromkeys(vocabulary.FUTURES)), ("treasury", dict.fromkeys(vocabulary.TREASURY)),
                  ("index", vocabulary.INDEX_WORDS), ("basket", vocabulary.BASKETS),
                  ("listed", dict.fromkeys(vocabulary.LISTED)), ("property", vocabulary.PROPERTY),
                  ("residential", dict.fromkeys(vocabulary.RESIDENTIAL)), ("metro", vocabulary.METROS))
        for word in words:
            for kind, table in tables:
                if vocabulary.NICKNAMES.get(word, word) in table:
                    self._name(kind, vocabulary.NICKNAMES.get(word, word))
                    self.text = re.sub(rf"(?<![\w.])'?{re.escape(word)}'?(?![\w])", " ", self.text, count=1)
                    break
        if found.names.get("future"):
            found.future = found.names.pop("future")
        for word in vocabulary.GENERIC:
            if self.take(re.escape(word)):
                found.names["generic"] = word
        found.forward = any([self.take(word) for word in vocabulary.FORWARD_WORDS])
        found.spot = self.take("SPOT") is not None

    def _name(self, kind: str, word: str) -> None:
        known = self.found.names.get(kind)
        same = {"treasury", "listed", "residential"}
        if known is not None and kind not in same and known != word:
            raise self.found.refuse(f"two instruments in one sentence: {known} and {word}",
                                    "one sentence for each trade")
        if kind == "treasury" and known in vocabulary.BILLS:
            return
        self.found.names[kind] = word

    def read_sizes(self) -> None:
        """Amounts and tenors; a bare M is months when another number is the size."""
        found = self.found
        if match := self.take(rf"({_NUMBER})({_SCALE}|M)? ?(?:USD )?(?:OF )?(?:DV01|PV01|BPV)"):
            found.dv01, found.amount = True, (read_amount(match[1], match[2] or ""), True)
        elif self.take("(?:DV01|PV01|BPV)"):
            found.dv01 = True
        amounts: list[float] = [found.amount[0]] if found.amount else []
        while match := self.take(rf"([+-]?)({_NUMBER}) ?({_SCALE})"):
            amounts.append(self._signed(match[1], read_amount(match[2], match[3])))
            self._currency_beside(match)
        tenors = []
        while match := self.take(rf"({_NUMBER})[ -]?({_TENOR})"):
            tenors.append(self._tenor(match[1], vocabulary.TENOR_UNITS[match[2]]))
        either: list[tuple[str, float, bool]] = []
        while match := self.take(rf"([+-]?)({_NUMBER})M"):
            number_before = re.search(rf"(?<![\w.])(?:{_NUMBER})(?![\w.%])", self.text[: match.start()]) is not None
            either.append((match[2], self._signed(match[1], float(match[2])), number_before))
            self._currency_beside(match)
        if len(either) > 1 and not self.leading and all(d.isdigit() and float(d) <= 24 for d, *_ in either):
            tidy = f"{either[0][0]}mio … {either[1][0]} months"
            raise found.refuse("which M is million and which is months?", f"write {tidy}")
        for digits, value, after_number in either:
            months = value > 0 and digits.isdigit() and float(digits) <= 60
            if months and (amounts or (after_number and not tenors)):
                tenors.append(self._tenor(digits, "M"))
            else:
                amounts.append(value * 1e6)
        self._bare_numbers(amounts)
        if len(amounts) > 1:
            raise found.refuse("more than one size", "one size: 250m, 1.5bn, 2000 contracts",
                               got=", ".join(f"{a:,.0f}" for a in amounts))
        if len(tenors) > 1 or (tenors and (found.day or found.month)):
            raise found.refuse("more than one maturity", "one tenor or date; one sentence for each trade")
        found.tenor = tenors[0] if tenors else ""
        if amounts and found.amount is None:
            found.amount = (amounts[0], True)

    def _bare_numbers(self, amounts: list[float]) -> None:
        """Numbers without a unit: the size of futures and options, a strike, or a full amount."""
        found = self.found
        bare: list[tuple[str, float]] = []
        while match := self.take(rf"([+-]?)({_NUMBER})"):
            bare.append((match[2], self._signed(match[1], float(match[2]))))
            self._currency_beside(match)
        if not amounts and bare and (not found.option or len(bare) > 1 or found.strike is not None
                                     or found.relative or found.delta is not None):
            text, value = bare.pop(0)
            found.amount = (value, abs(value) >= 10_000 and "." not in text)
        if bare and found.option and found.strike is None:
            found.strike = bare.pop(0)[1]
        if bare:
            raise found.refuse("a number whose meaning is not clear", "sizes as 250m, strikes as @1.25, "
                               "tenors as 10Y, rates as 4.25%", got=", ".join(t for t, _ in bare))

    def _tenor(self, digits: str, unit: str) -> str:
        number = float(digits)
        if unit == "Y" and not number.is_integer() and (number * 12).is_integer():
            number, unit = number * 12, "M"
        if not number.is_integer() or not 1 <= number <= 9999:
            raise self.found.refuse("a tenor is a whole number of days, weeks, months or years", "3M, 10Y",
                                    got=f"{digits}{unit}")
        return f"{int(number)}{unit}"

    def _signed(self, sign: str, value: float) -> float:
        """A sign before a size is a side; a minus beside a side in words is refused."""
        if not sign:
            return value
        if sign == "-" and re.search(r"(?<!\w)(?:BUY|SELL|LONG|SHORT|BOUGHT|SOLD|BOT|SLD)(?!\w)", self.text):
            raise self.found.refuse("a minus together with a side has two meanings",
                                    "sell 250m …, or -250m … without a word for the side")
        self.found.side = -1.0 if sign == "-" else 1.0
        return value

    def _currency_beside(self, match: re.Match[str]) -> None:
        """A currency right before or after the size: 'EUR 100m', '100m EUR'."""
        before, after = self.text[: match.start()].split(), self.text[match.start():].split()
        for word in (after[0] if after else "", before[-1] if before else ""):
            if currency_of(word) and not self.found.amount_currency:
                self.found.amount_currency = currency_of(word)
                self.text = re.sub(rf"(?<![\w.]){re.escape(word)}(?![\w.])", " ", self.text, count=1)

    def read_side(self) -> None:
        found = self.found
        for words, sign in ((vocabulary.BUY, 1.0), (vocabulary.SELL, -1.0)):
            for word in words:
                if self.take(word):
                    found.side = sign
        if found.side == 0.0 and (match := re.match(r"^ *([+-])(?= )", self.text)):
            found.side, self.text = (1.0 if match[1] == "+" else -1.0), self.text.replace(match[1], " ", 1)

    def finish(self) -> None:
        """Single currencies that are left name the instrument; anything else was not understood."""
        found = self.found
        left = []
        own = not (set(found.names) - {"generic"} or found.future or found.pair)
        for word in (w.strip("'.#=_-/&+") for w in self.text.split()):
            currency = currency_of(word)
            if currency and currency != "USD" and found.pair is None and "currency" not in found.names:
                found.names["currency"] = currency
            elif currency == "USD" or (currency and currency in (found.pair or ())):
                continue
            elif word and word not in vocabulary.FILLER:
                left.append(word)
        if own and found.amount_currency:
            if other := found.names.get("currency", ""):
                found.pair = (found.amount_currency, other)
            elif found.amount_currency != "USD":
                found.names["currency"] = found.amount_currency
        if left:
            known = (*vocabulary.TREASURY[:4], *vocabulary.FUTURES, *vocabulary.INDEX_WORDS, *vocabulary.BASKETS,
                     *vocabulary.PROPERTY, *vocabulary.RESIDENTIAL, *vocabulary.METROS, "BUY", "SELL", "LONG",
                     "SHORT", "SPOT", "FORWARD", "CALL", "PUT", "CAP", "LTV", "LOAN", "DV01", *CURRENCIES)
            if {"residential", "property"} & set(found.names):
                known = ("New York", "Los Angeles", "San Francisco", "Miami", "National", "cap", "ltv", "loan")
            near = [n.lower() for word in left[:3] for n in get_close_matches(word, known, n=1, cutoff=0.6)]
            hint = f" (nearest words: {', '.join(near)})" if near else ""
            if {"residential", "property"} & set(found.names):
                hint += f" (places: {', '.join(known[:5])})"
            shown = ", ".join(visible(word.lower()) for word in left[:6])
            raise found.refuse(f"not understood: {shown}", EXAMPLES + hint)


def _percent_or_share(value: float) -> float:
    return value / 100.0 if value >= 1.0 else value
