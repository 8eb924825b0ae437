"""Do companies that sell abroad gain when the dollar falls, and companies that buy abroad lose?

Each month the sectors' returns are regressed on their foreign revenue shares (Fama and MacBeth 1973); the
slope λ_t is the return of one more unit of foreign revenue share.  Then

    λ_t = a + b Δs_t + c r^m_t + d Δy10_t + e_t        s: broad dollar, up = the dollar rose

b < 0: exporters gain from a falling dollar, beyond the market and rates.  Without sector funds: Nasdaq less
S&P 500.
"""

from __future__ import annotations

import numpy as np

from factors.claims.drafts import Draft, Wording, attempt, from_regression, variant
from factors.claims.regressions import regress
from factors.claims.series import Evidence, Monthly, SeriesMissing, align, broad_dollar, complete
from factors.claims.verdicts import Region
from factors.claims.yields import REPORT

FOREIGN_SHARE = {"XLK": 0.57, "XLB": 0.52, "XLE": 0.39, "XLP": 0.42, "XLV": 0.36, "XLI": 0.33, "XLY": 0.34,
                 "XLF": 0.21, "XLU": 0.02}
"""Foreign share of sales by S&P 500 sector, about 2020–24 (FactSet geographic revenue, recalled: mark R).
Sectors with a fund since 1998; communication and listed property funds are younger and left out."""
INDEX_SHARE = {"SP500": 0.28, "NASDAQ": 0.42}
"""configs/market_inputs.csv, foreign_revenue_share."""

WORDING = Wording(
    "D10", "Equities", "A weaker dollar favours exporters over importers",
    "A falling dollar helps companies that sell abroad and hurts those that depend on imports.", REPORT,
    "λ(return on foreign revenue share) = a + b Δ(broad dollar) + c r(market) + d Δy10 + e", "b below 0",
    "b small, its sign uncertain: technology rises with the dollar (Jorion 1990; own sector betas)",
    ("Foreign shares are today's, recalled, applied to the whole sample.",
     "Sectors differ in more than where they sell (duration, oil): nine sectors identify b weakly.",
     "Importers are seen only through low foreign sales; imported costs are not measured."))


def test_equities(evidence: Evidence) -> list[Draft]:
    """The claim about exporters and importers."""
    return [attempt(WORDING, exporters, evidence)]


def returns(evidence: Evidence, name: str) -> Monthly:
    """Monthly log returns of closes, %, last close of each month; an incomplete last month is left out."""
    whole = complete(evidence.monthly(name), evidence.as_of)
    return whole.log().change().map(lambda v: 100 * v)


def slopes(block: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(T,) cross-section slope of returns (N, T) on shares (N,); NaN unless all sectors are there."""
    weight = (share - share.mean()) / ((share - share.mean()) ** 2).sum()
    return weight @ block


def exporters(evidence: Evidence) -> Draft:
    """Fama–MacBeth slopes of the sectors on the dollar."""
    dollar, source = broad_dollar(evidence, month_end=True)
    sectors = [f"etf.{s}" for s in FOREIGN_SHARE]
    if evidence.has(*sectors, "SP500"):
        share, names, market_name = np.array(list(FOREIGN_SHARE.values())), sectors, "SP500"
    else:
        names, market_name = [f"equity_daily.{k}" for k in INDEX_SHARE], "equity_daily.SP500"
        try:
            evidence.need(*names)
        except SeriesMissing:
            raise SeriesMissing(*sectors, "SP500") from None
        share = np.array(list(INDEX_SHARE.values()))
    columns = [returns(evidence, n) for n in names]
    number, (s, rate, market, *block) = align(
        dollar.change().map(lambda v: 100 * v), complete(
            evidence.monthly("treasury_par_daily.10Y"), evidence.as_of).change().map(lambda v: 1e4 * v),
        returns(evidence, market_name), *columns)
    table = np.array(block)
    slope = slopes(table, share)
    main = regress(slope, [s, market, rate], number, 3, ["Δ dollar", "market", "Δ y10"], WORDING.id)
    unit = "% per 1% of dollar, share 0 to 1"
    ranks = (np.argsort(np.argsort(share)) + 0.5) / len(share)
    others = [*variant("without market and rates", regress(slope, [s], number, 3, ["Δ dollar"], WORDING.id),
                       unit),
              *variant("ranks instead of shares", regress(slopes(table, ranks), [s, market, rate], number, 3,
                                                          ["Δ dollar", "market", "Δ y10"], WORDING.id), unit)]
    if names is sectors:
        rest = [i for i, name in enumerate(names) if name != "etf.XLK"]
        others += variant("without technology", regress(
            slopes(table[rest], share[rest]), [s, market, rate], number, 3, ["Δ dollar", "market", "Δ y10"],
            WORDING.id),
            unit)
    return from_regression(
        WORDING, main, Region(high=0.0), unit, ("Δ broad dollar, %", "return per unit of foreign share, %"),
        series=(*names, market_name, "treasury_par_daily.10Y",
                "DTWEXBGS" if source == "DTWEXBGS" else source),
        others=tuple(others), pandemic=True,
        caveats=() if names is sectors else ("Two indices only (sector funds are not imported): Nasdaq less "
                                             "S&P 500 is technology before it is foreign sales.",))
