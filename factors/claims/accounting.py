"""Identities and figures: the balance of payments, the Korean purchase, the investment position, Europe's
share.

A gross purchase of US securities by a foreigner is matched somewhere; the balance of payments does not say
where (another foreigner's sale, a bank deposit, US purchases abroad, or net exports).  'One dollar in, one
dollar less of net exports' is therefore a hypothesis about quantities:

    ΔNX = a + b Δ(net purchases) + e, USD bn a quarter;   b = −1 if it is automatic
"""

from __future__ import annotations

import numpy as np

from factors.claims.drafts import Draft, Wording, attempt, exact, from_regression, signed, variant
from factors.claims.holders import PREFIX, SECOND
from factors.claims.inflows import KINDS, all_purchases
from factors.claims.regressions import Measured, regress
from factors.claims.saving import NIPA, as_quarterly, difference, lines_of
from factors.claims.series import Evidence, Monthly, SeriesMissing, align, period_label, period_number
from factors.claims.verdicts import Region
from factors.claims.yields import REPORT

TWICE = 1.5
"""Ratio from which 'almost twice' could be said."""
ROUNDING = 0.51
"""Units of the last published digit by which a sum of rounded figures may miss."""
IDENTITY = Wording(
    "D1", "Accounts", "The current account mirrors the capital account",
    "What comes in as capital equals what is spent on trade and income beyond what is earned.", REPORT,
    "NX = exports − imports;  CA = NX + net income from abroad + transfers;  CA + KA + FA + discrepancy = 0",
    "identity", "identity; says nothing about cause",
    ("The report calls the current account the trade account; income and transfers are the difference, "
     "shown.",
     "The financial account (ITA table 1.1) is not among the series: its side is checked through the "
     "investment position only, which also moves with prices and exchange "
     "rates.", "The engine's own ledger is checked to 1e-9 in "
     "every run."))
KOREA = Wording(
    "D3-korea", "Accounts", "A Korean purchase cuts US net exports one for one",
    "When Korean funds buy one billion of US securities, US net exports fall by one billion.", REPORT,
    "ΔNX = a + b Δ(Korean purchases of Treasuries: change of holdings) + e", "b about −1 (−1.5 to −0.5)",
    "b about 0 in the quarter",
    ("Change of holdings at market value (purchases by country exist from 2023 only); custody in third "
     "countries hides Korean "
     "buyers.", "Equities are where Korean funds buy; only Treasuries have a long history by country.",
     "Korea's purchases are small against the noise of quarterly trade."))
GROSS = Wording(
    "D3-gross", "Accounts", "Any gross foreign purchase cuts net exports one for one",
    "The same sentence for all foreigners' purchases of long-term securities.", REPORT,
    "ΔNX = a + b Δ(net foreign purchases of long-term securities) + e, USD bn a quarter",
    "b about −1 (−1.5 to −0.5)",
    "b about 0 in the quarter; −1 only for the whole net financial account, ex post",
    ("Measurement error in purchases pulls b towards 0, but not from −1 to 0: their standard deviation is "
     "far above that of net "
     "exports.", "Over years the net account must equal the deficit; nothing is automatic within a quarter."))
POSITION = Wording(
    "D15-niip", "Accounts", "Foreigners are net long 27.6 trillion, a record",
    "Foreign-owned assets in the United States of 68.9 trillion less US-owned assets abroad of 41.3 "
    "trillion are 27.6 trillion, the largest ever, also relative to "
    "GDP.", SECOND, "net position = assets − liabilities", "identity",
    "ties to the published figures",
    ("Prices and exchange rates move it as much as flows do.",
     "Before 2024 only some year-ends are at hand."))
EUROPE = Wording(
    "D15-europe", "Accounts", "Europe owns 8 trillion, almost twice the rest of the world",
    "European holders own about 8 trillion of US stocks and bonds, nearly double everybody else together.",
    SECOND,
    "ratio = Europe / (world − Europe), long-term securities (TIC)", "ratio about 2 (above 1.5)",
    "ratio about 0.9; Europe 18 trillion in May 2026",
    ("Custody: London, Luxembourg, Dublin and Brussels hold for the whole world, so Europe is overstated if "
     "anything, and the ratio is still below one.",))
EUROPEANS = ("United Kingdom", "Luxembourg", "Ireland", "Switzerland", "Belgium", "France", "Germany",
             "Netherlands",
             "Norway", "Sweden", "Denmark", "Italy", "Spain", "Austria", "Finland", "Portugal", "Greece",
             "Poland")


def test_accounting(evidence: Evidence) -> list[Draft]:
    """Identities and recomputed figures."""
    return [attempt(IDENTITY, balance_of_payments, evidence), attempt(KOREA, korea, evidence),
            attempt(GROSS, gross_purchases, evidence), attempt(POSITION, position, evidence),
            attempt(EUROPE, europe, evidence)]


def balance_of_payments(evidence: Evidence) -> Draft:
    """Net exports to rounding, transfers as the rest of the current account, valuation as the rest of the
    position."""
    names = ("GDP", "NETFI", "NETEXP", "EXPGS", "IMPGS", "GNP")
    number, (gdp, ca, net, exports, imports, gnp) = align(*(evidence.quarterly(NIPA + n) for n in names))
    miss = net - (exports - imports)
    digits = np.where(np.maximum(exports, imports) >= 1000, 0.01, 0.001)  # published to five or six figures
    good = np.isfinite(miss)
    worst = float(np.nanmax(np.abs(miss)))
    holds = bool((np.abs(miss[good]) <= 3 * ROUNDING * digits[good] + 1e-9).all())
    transfers = 100.0 * (ca - net - (gnp - gdp)) / gdp
    recent = np.isfinite(transfers) & (number >= period_number("2000", "Q"))
    others = [exact("NX − (exports − imports), largest", worst, "USD bn, annual rate", n=int(good.sum())),
              exact("net income from abroad, mean since 2000",
                    float((100 * (gnp - gdp) / gdp)[recent].mean()), "% of GDP"),
              exact("net transfers (the rest), mean since 2000", float(transfers[recent].mean()), "% of GDP")]
    words = f"Net exports equal exports less imports to {worst:.3f} bn in {int(good.sum())} quarters."
    if evidence.has("IIPUSNETIQ"):
        quarter, (stock, flow) = align(evidence.quarterly("IIPUSNETIQ").map(lambda v: v / 1e3),
                                       evidence.quarterly(NIPA + "NETFI").map(lambda v: v / 4.0))
        change = difference(stock)
        rest = change - flow
        ok = np.isfinite(rest)
        ratio = float(flow[ok].sum() / change[ok].sum())
        others += [exact("change of the investment position", float(change[ok].sum()), "USD bn",
                         f"{period_label(quarter[ok][0], 'Q')} to {period_label(quarter[ok][-1], 'Q')}"),
                   exact("of which cumulated current account", float(flow[ok].sum()), "USD bn"),
                   exact("valuation and other changes", float(rest[ok].sum()), "USD bn"),
                   exact("share of the current account in quarterly variance",
                         1 - float(rest[ok].var() / change[ok].var()),
                         "share")]
        words += (f" The cumulated current account is {100 * ratio:.0f}% of the change of the investment "
                  "position.")
    shown = np.isfinite(ca) & (number >= period_number("1980", "Q"))
    return Draft(IDENTITY, tuple(NIPA + n for n in names), identity=(holds, words), others=tuple(others),
                 sample=f"{period_label(number[good][0], 'Q')} to {period_label(number[good][-1], 'Q')}",
                 chart=lines_of(number[shown], "Q", "% of GDP", ("CA", (100 * ca / gdp)[shown]),
                                ("NX", (100 * net / gdp)[shown]),
                                ("income", (100 * (gnp - gdp) / gdp)[shown]),
                                ("transfers", transfers[shown])))


def _on_trade(evidence: Evidence, bought: Monthly, claim: str, lead: int = 0):
    number, (net, flow) = align(evidence.quarterly(NIPA + "NETEXP").map(lambda v: v / 4.0), bought)
    y = difference(net)
    if lead:
        y = Monthly(0, y).on(lead, len(y) + lead)
    return regress(y, [difference(flow)], number, 4, ["Δ purchases"], claim)


def korea(evidence: Evidence) -> Draft:
    """Change of the flow on change of the flow; purchases of 2023–24 beside it."""
    name = next((n for n in ("korea_south", "south_korea", "korea") if evidence.has(PREFIX + n)), None)
    if name is None:
        raise SeriesMissing(PREFIX + "korea_south")
    held = evidence.monthly(PREFIX + name)
    bought = as_quarterly(held.change(), total=True)
    main = _on_trade(evidence, bought, KOREA.id)
    others = [*variant("net exports in the quarter after", _on_trade(evidence, bought, KOREA.id, 1),
                       "USD per USD", "Q")]
    slt = "tic.slt.korea_south.total_net"
    if evidence.has(slt):
        flow = as_quarterly(evidence.monthly(slt).map(lambda v: v / 1e3), total=True)
        good = flow.values[np.isfinite(flow.values)]
        if len(good):
            others.append(
                exact("Korean purchases of all long-term securities, a quarter", float(good.mean()), "USD bn",
                                note="too few quarters for a regression", n=len(good)))
    return from_regression(KOREA, main, Region(-1.5, -0.5), "USD per USD", (
        "Δ Korean purchases, USD bn a quarter", "Δ net exports, USD bn a quarter"), "Q", pandemic=True,
        series=(PREFIX + name, NIPA + "NETEXP"), others=tuple(others))


def gross_purchases(evidence: Evidence) -> Draft:
    """All foreigners, all long-term securities; official ones over the longer history beside them."""
    evidence.need(*(f"tic.flows.total.{k}_net" for k in KINDS))
    flow = as_quarterly(all_purchases(evidence, "total"), total=True)
    main = _on_trade(evidence, flow, GROSS.id)
    others = [*variant("net exports in the quarter after", _on_trade(evidence, flow, GROSS.id, 1),
                       "USD per USD", "Q")]
    if evidence.has(*(f"tic.flows.official.{k}_net" for k in KINDS)):
        official = as_quarterly(all_purchases(evidence, "official"), total=True)
        others += variant("official purchases, from 1985", _on_trade(evidence, official, GROSS.id),
                          "USD per USD", "Q")
    return from_regression(GROSS, main, Region(-1.5, -0.5), "USD per USD", (
        "Δ net purchases, USD bn a quarter", "Δ net exports, USD bn a quarter"), "Q", pandemic=True,
        series=(*(f"tic.flows.total.{k}_net" for k in KINDS), NIPA + "NETEXP"), others=tuple(others))


def position(evidence: Evidence) -> Draft:
    """Assets less liabilities of every date known; is the newest the largest, and relative to GDP?"""
    rows = evidence.table("positions")
    named = next((r for r in rows if r["date"] == "2025-09-30"), None)
    if named is None:
        return Draft(POSITION, ("configs/markets.toml",), untestable="The position of September 2025 was "
                                                                     "not yet published on "
                                                                     f"{evidence.as_of}." )
    gdp = evidence.quarterly(NIPA + "GDP")

    def share(row: dict) -> float:
        quarter = period_number(f"{row['date'][:4]}Q{(int(row['date'][5:7]) + 2) // 3}", "Q")
        return 100.0 * row["net"] / gdp.on(quarter, quarter + 1)[0]

    difference_of = named["assets"] - named["liabilities"]
    ties = abs(difference_of - named["net"]) <= 50.0
    record = named["net"] == min(r["net"] for r in rows)
    worst = min(rows, key=share)
    at_most = "the largest" if worst is named else f"not: {worst['date']} had {signed(share(worst), 1)}%"
    words = (f"{named['assets'] / 1e3:.1f} \u2212 {named['liabilities'] / 1e3:.1f} = "
             f"{signed(difference_of / 1e3, 1)} tn. {'The' if record else 'Not the'} largest in dollars of "
             f"the {len(rows)} dates at hand; relative to GDP ({signed(share(named), 1)}%) it is "
             f"{at_most}.")
    return Draft(POSITION, ("configs/markets.toml", NIPA + "GDP"), identity=(ties and record, words),
                 others=tuple(exact(f"net position {r['date']}", r["net"] / 1e3, "USD tn",
                                    note=f"{signed(share(r), 1)}% of GDP; mark {r['mark']}")
                              for r in rows[-5:]),
                 chart={"kind": "bars", "unit": "% of GDP", "decimals": 1, "title": "Net investment position",
                        "rows": [(r["date"], round(share(r), 1), None, None) for r in rows]})


def europe(evidence: Evidence) -> Draft:
    """Ratio from TIC's own totals (May 2026), else bounds from the areas of the last survey."""
    table = {r["area"]: r["total_usd_bn"] for r in evidence.table("area_holdings")}
    if table:
        held, world, source = table["Total Europe"], table[
            "Grand Total"], "configs/foreign_holdings_2026-05.csv"
        ratio = held / (world - held)
        words = (f"Europe {held / 1e3:.1f} tn, the rest of the world {(world - held) / 1e3:.1f} tn: ratio "
                 f"{ratio:.2f}. Neither 8 tn nor twice the rest.")
        sample = "May 2026"
    else:
        rows = evidence.table("survey_holdings")
        if not rows:
            raise SeriesMissing("configs/foreign_holdings_by_survey.csv")
        survey = rows[-1]["survey"]
        classes = ("treasury_usd_bn", "agency_usd_bn", "corporate_usd_bn", "equity_usd_bn")
        total = {r["area"]: sum(r[c] or 0.0 for c in classes) for r in rows if r["survey"] == survey}
        world, source = total["Total"], "configs/foreign_holdings_by_survey.csv"
        outside = sum(v for a, v in total.items() if a not in EUROPEANS and a != "Total")
        held = world - outside
        ratio = held / outside
        words = (f"Survey {survey}: the areas outside Europe that are published apart hold "
                 f"{outside / 1e3:.1f} tn, so Europe and all unlisted areas hold at most {held / 1e3:.1f} "
                 f"tn: ratio at most {ratio:.2f}.")
        sample = survey
    figures = (exact("Europe", held / 1e3, "USD tn", sample), exact("world", world / 1e3, "USD tn", sample))
    if not table and ratio > TWICE:
        return Draft(EUROPE, (source,), untestable=words + " The bound decides nothing.", others=figures,
                     sample=sample)
    return Draft(EUROPE, (source,), region=Region(low=TWICE), measured=Measured(ratio, 0.0, ratio, ratio, 1),
                 unit="ratio", sample=sample, words=words, others=figures)
