"""Tables of the laboratory's page, from plain estimates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from riskengine.base.sensitivity import Sensitivities, Sensitivity
from riskengine.reports import formats
from riskengine.reports.html_table import Cell, Column, Table, amount, is_long, text

GROUP_NAMES = {
    "currencies": ("Currencies",
                   "What a currency does when the broad dollar falls by one; what the dollar does when the "
                   "2-year rises."),
    "rates": ("Treasury yields",
              "The policy path (the 2-year) and what is left of the 10-year: the term-premium "
              "remainder."),
    "equity": ("Equity",
               "Index, sectors and baskets on the market, the dollar and rates; earnings on the dollar."),
    "real_estate": ("Real estate", "Listed funds; de-smoothed direct property; home prices over two years."),
    "flows": ("Foreign flows",
              "Purchases scaled by the stock outstanding. Signs are turned so that a positive number "
              "agrees with the engine's parameter."),
}
CHARTED_UNITS = ("× index", "% per +1% of the dollar", "% per 100 bp")
"""Units of many rows: only those with a published value are drawn."""
FLOW_NAMES = {"ust_impact": "Term premium, month of the flow", "ust_long_run": "Term premium after 12 months",
              "dollar_flow": "Dollar after 3 months", "equity_flow": "S&P 500 after 3 months"}
LITTLE = 0.05
"""Weight in the posterior below which the data hardly speak."""
SET_NAMES = {"engine": "Engine", "prior": "Prior", "data": "Data", "posterior": "Posterior",
             "identified": "Posterior, identified only"}


def short_name(r: Sensitivity) -> str:
    """'KRW', '10Y', 'XLK dollar': the part of the id people know."""
    family, _, name = r.id.partition(".")
    words = {"currency_beta": "", "path_beta": "", "path_beta_long": "since 1976", "premium_profile": "",
             "sector_market": "", "sector_dollar": "", "sector_rates": "", "basket_market": "",
             "basket_dollar": "",
             "basket_rates": "", "reit_market": "listed real estate", "reit_rates": "listed real estate",
             "reit_dollar": "listed real estate", "metro": ""}
    if family in words and name:
        tail = name.title() if family.startswith("basket") else name
        tail = name.replace("_", " ").title() if family == "metro" else tail
        return f"{tail} {words[family]}".strip()
    named = {"spx_on_dollar": "S&P 500", "dollar_on_2y": "Dollar", "ust_impact": "Term premium, impact",
             "ust_long_run": "Term premium, 12 months", "dollar_flow": "Dollar, 3 months",
             "equity_flow": "S&P 500, 3 months", "spx_on_premium": "S&P 500 (λ)", "spx_on_path": "S&P 500",
             "earnings_on_dollar": "Earnings", "acm_premium_on_remainder": "ACM premium",
             "acm_premium_on_2y": "ACM premium", "homes_on_10y": "US homes", "property_rates": "Prices",
             "property_market": "Prices"}
    head = named.get(family, formats.name(family))
    return f"{head}, {name.replace('_', ' ')}" if name else head


def full_name(r: Sensitivity) -> str:
    """The short name with what it is regressed on: 'Importers basket on the S&P 500'."""
    if r.group == "flows":  # the regressor names the buyers
        return f"{FLOW_NAMES.get(r.id.partition('.')[0], short_name(r))} on {r.regressor}"
    return f"{short_name(r)} on {r.regressor}"


def sensitivity_table(rows: Sequence[Sensitivity], caption: str) -> Table:
    """Every coefficient of a group with sample and checks."""
    columns = (Column("Coefficient", numeric=False), Column("On", numeric=False, css="words"),
               Column("Unit", numeric=False, css="words"),
               Column("Prior"), Column("Data"), Column("Posterior"), Column("Apart", "s.e."),
               Column("Engine", numeric=False), Column("Lag"), Column("Sample", numeric=False),
               Column("Obs."), Column("R²"), Column("sup-F"), Column("Without one"),
               Column("Note", numeric=False, css="words"))
    body = []
    for r in rows:
        s, p = r.stability, r.prior
        note = "; ".join(x for x in (
            "not identified" if not r.identified else "",
            "prior from overlapping data" if p and p.overlaps else "", r.note) if x)
        body.append((
            text(short_name(r)), text(r.regressor), text(r.unit), _pair(p.value, p.se) if p else text(None),
            _pair(r.estimate, r.se, "strong"),
            _pair(r.posterior, r.posterior_se) if p else text("as data", "muted"),
            amount(r.conflict, 1, css="flag" if r.conflict is not None and r.conflict > 2 else ""),
            text({"prior": "prior", "data": "data"}.get(r.engine, "–"),
                 "strong" if r.engine != "diagnostic" else "muted"),
            amount(r.lag, 0),
            text(f"{r.first[:7]} … {r.last[:7]}" if "Q" not in r.first else f"{r.first} … {r.last}",
                 "nobreak"),
            amount(r.n, 0), amount(r.r2, 2),
            amount(s.sup_f, 1, note=s.break_date[:7] if s.breaks else "", css="flag" if s.breaks else "")
            if s else text(None),
            amount(s.without_influential, 2, note=s.influential_date[:7]) if s else text(None), text(note)))
    return Table(f"{caption}: coefficients", columns, tuple(body), is_long(len(body)),
                 note="Standard errors in brackets. Apart: distance of prior and data in standard errors. "
                      "sup-F: largest break statistic, with its date beyond the 5% value. Without one: "
                      "without the most influential observation.")


def engine_table(found: Sensitivities) -> Table | None:
    """The elasticities of the chain: what was published, what the data say, what remains."""
    rows = [r for r in found.rows if r.used_as and r.prior is not None and "beta" not in r.id.split(".")[0]
            or r.id in ("path_beta.10Y", "currency_beta.KRW", "currency_beta.CNY", "currency_beta.EUR")]
    if not rows:
        return None
    columns = (Column("Elasticity", numeric=False, css="words"), Column("Unit", numeric=False, css="words"),
               Column("Prior"), Column("Data"),
               Column("Posterior"), Column("Apart", "s.e."), Column("Used as", numeric=False, css="words"),
               Column("Reading", numeric=False, css="words"))
    body = tuple((text(full_name(r)), text(r.unit), _pair(r.prior.value, r.prior.se),
                  _pair(r.estimate, r.se, "strong"),
                  _pair(r.posterior, r.posterior_se), amount(r.conflict, 1), text(r.used_as),
                  text(_reading(r)))
                 for r in rows if r.prior is not None)
    return Table("Main elasticities of the engine", columns, body)


def _reading(r: Sensitivity) -> str:
    """One honest sentence about a row with a prior."""
    assert r.prior is not None
    weight = r.se**-2 / (r.se**-2 + r.prior.se**-2)
    share = f"the data carry {formats.percent(weight, 0)} of the posterior"
    if not r.identified:
        return f"not identified: {r.note}; {share} by the rule, and the engine keeps the prior"
    if weight < LITTLE:
        return (f"the data are too noisy to speak: their error is {formats.number(r.se / r.prior.se, 0)} "
                f"times the prior's; {share}")
    if r.conflict is not None and r.conflict > 2:
        return f"prior and data disagree; {share}"
    return f"agrees within {formats.number(r.conflict, 1)} standard errors; {share}"


def influence_table(found: Sensitivities) -> Table | None:
    """Breaks and single observations that carry a coefficient, strongest first."""
    tested = [r for r in found.rows if r.stability is not None and r.stability.sup_f is not None]
    if not tested:
        return None
    tested.sort(key=lambda r: -(r.stability.sup_f or 0.0))  # type: ignore[union-attr]
    columns = (Column("Coefficient", numeric=False), Column("On", numeric=False, css="words"),
               Column("sup-F"), Column("5% value"),
               Column("Break after", numeric=False), Column("CUSUM", "p"), Column("Data"),
               Column("Without one"),
               Column("Change", "s.e."), Column("Most influential", numeric=False))
    body = []
    for r in tested:
        s = r.stability
        assert s is not None
        moved = (s.without_influential - r.estimate) / r.se if s.without_influential is not None else None
        body.append((text(short_name(r)), text(r.regressor),
                     amount(s.sup_f, 1, css="flag" if s.breaks else ""),
                     amount(s.critical_5, 2), text(s.break_date[:7] if s.breaks else "–"),
                     amount(s.cusum_p, 3),
                     _pair(r.estimate, r.se), amount(s.without_influential, 2),
                     amount(moved, 1, css="flag" if moved is not None and abs(moved) > 1 else "", plus=True),
                     text(s.influential_date[:7])))
    return Table("Breaks and influential observations", columns, tuple(body), is_long(len(body)))


def projection_table(found: Sensitivities) -> Table | None:
    """Responses at 0, 3, 6 and 12 months."""
    if not found.projections:
        return None
    shown = (0, 1, 3, 6, 12)
    columns = (Column("Response", numeric=False, css="words"), Column("To purchases by", numeric=False),
               Column("Unit", numeric=False),
               *(Column(f"{h} months") for h in shown), Column("Lags at 12"),
               Column("Sample", numeric=False), Column("Obs."),
               Column("Controls", numeric=False, css="words"))
    body = tuple((text(p.response), text(p.holders), text(f"{p.unit} per 1%"),
                  *(_pair(p.beta[p.horizons.index(h)], p.se[p.horizons.index(h)], digits=1) for h in shown),
                  amount(p.lags[-1], 0), text(f"{p.first[:7]} … {p.last[:7]}"), amount(p.n[0], 0),
                  text(p.controls))
                 for p in found.projections)
    return Table("Local projections", columns, body)


def changes_table(found: Sensitivities, previous: Sensitivities | None) -> Table | None:
    """Coefficients that moved since *previous*, largest first, new and vanished ones named; None without
    one."""
    if previous is None:
        return None
    columns = (Column("Coefficient", numeric=False), Column("On", numeric=False, css="words"),
               Column("Before"), Column("Now"),
               Column("Change"), Column("Change", "s.e."), Column("Posterior before"),
               Column("Posterior now"), Column("What", numeric=False))
    body: list[tuple[float, tuple[Cell, ...]]] = []
    for r in found.rows:
        if r.id not in previous:
            body.append((float("inf"),
                         (text(short_name(r)), text(r.regressor), text(None), _pair(r.estimate, r.se),
                          text(None),
                                        text(None), text(None), amount(r.posterior, 3), text("new"))))
            continue
        old = previous[r.id]
        change = r.estimate - old.estimate
        if change == 0.0 and r.posterior == old.posterior and r.n == old.n:
            continue
        size = abs(change) / old.se
        what = "data revised" if change else "prior changed"
        if r.n != old.n:
            what = "sample longer" if r.n > old.n else "sample shorter"
        body.append((size,
                     (text(short_name(r)), text(r.regressor), _pair(old.estimate, old.se),
                      _pair(r.estimate, r.se),
                            amount(change, 3, plus=True), amount(change / old.se, 2, plus=True),
                            amount(old.posterior, 3),
                            amount(r.posterior, 3), text(what))))
    for old in previous.rows:
        if old.id not in found:
            body.append((float("inf"),
                         (text(short_name(old)), text(old.regressor), _pair(old.estimate, old.se),
                          text(None), text(None),
                                        text(None), amount(old.posterior, 3), text(None),
                                        text("no longer estimated"))))
    body.sort(key=lambda x: -x[0])
    return Table(f"Against the estimate of {previous.as_of}", columns, tuple(row for _, row in body),
                 is_long(len(body)))


def exclusion_table(found: Sensitivities) -> Table | None:
    """What was asked for and has no answer on these data."""
    if not found.exclusions:
        return None
    columns = (Column("Id", numeric=False), Column("Group", numeric=False),
               Column("Reason", numeric=False, css="words"),
               Column("Series needed", numeric=False))
    body = tuple((text(e.id), text(formats.name(e.group)), text(e.reason), text(e.needs))
                 for e in found.exclusions)
    return Table("Not estimated", columns, body, is_long(len(body)))


def elasticity_table(check: Any) -> Table:
    """Every elasticity of the engine that data speak to, its value in each set."""
    columns = (Column("Elasticity", numeric=False), Column("Unit", numeric=False, css="words"),
               Column("Engine"), Column("Prior"), Column("Data"),
               Column("Posterior"), Column("Remark", numeric=False, css="words"))
    body = []
    for e in sorted(check.elasticities,
                    key=lambda e: "beta" in e.name.split(".")[0] and not e.name.startswith("reit")):
        remark = "; ".join(x for x in ("wrong sign: enters at 5% of the prior" if e.floored else "",
                                       "" if e.identified else "not identified", e.note) if x)
        cells = [_pair(v, s, "strong" if i == 0 else "") if v is not None else text(None)
                 for i, (v, s) in enumerate(zip(e.values, e.errors, strict=True))]
        body.append((text(e.name), text(e.unit), *cells, text(remark)))
    return Table("Elasticities of the engine, what the data say beside them", columns, tuple(body),
                 is_long(len(body)))


def outcome_tables(check: Any) -> list[Table]:
    """Expected P&L and expected shortfall of the shipped book by scenario and set."""
    unit = formats.money_unit(abs(o.expected_pnl_usd) for o in check.outcomes)
    sets = list(dict.fromkeys(o.chosen for o in check.outcomes))
    tables = []
    for caption, of in (("Expected P&L of the shipped book",
                         lambda o: (o.expected_pnl_usd, o.se_expected_pnl_usd)),
                        ("Expected shortfall, 97.5%", lambda o: (o.es_usd, None))):
        columns = (Column("Scenario", numeric=False, css="words"),
                   *(Column(SET_NAMES.get(s, s), unit.label) for s in sets),
                   *((Column("Posterior less engine", unit.label),) if "posterior" in sets else ()))
        body = []
        for name in dict.fromkeys(o.scenario for o in check.outcomes):
            here = {o.chosen: o for o in check.outcomes if o.scenario == name}
            cells = [_money(of(here[s]), unit) for s in sets]
            if "posterior" in sets:
                cells.append(_money((of(here["posterior"])[0] - of(here["engine"])[0], None), unit,
                                    plus=True))
            body.append((text(next(iter(here.values())).title), *cells))
        tables.append(Table(caption, columns, tuple(body)))
    columns = (Column("Scenario", numeric=False, css="words"),
               *(Column(f"{SET_NAMES.get(s, s)}: dollar", "%") for s in sets),
               *(Column(f"{SET_NAMES.get(s, s)}: 10-year", "bp, flows") for s in sets))
    body = []
    for name in dict.fromkeys(o.scenario for o in check.outcomes):
        here = {o.chosen: o for o in check.outcomes if o.scenario == name}
        body.append((text(next(iter(here.values())).title), *(amount(100 * here[s].dollar, 1) for s in sets),
                     *(amount(here[s].ten_year_bp, 1) for s in sets)))
    tables.append(Table("The chain behind it: fall of the broad dollar, flow channel of the 10-year "
                        "(medians at the horizon)", columns, tuple(body)))
    return tables


def single_table(check: Any) -> Table:
    """Change of expected P&L when one elasticity alone goes from the engine's value to the posterior."""
    scenarios = list(dict.fromkeys(s for _, s, _ in check.single))
    titles = {o.scenario: o.title for o in check.outcomes}
    unit = formats.money_unit(abs(x) for _, _, x in check.single)
    columns = (Column("Elasticity moved to its posterior", numeric=False),
               *(Column(titles[s], unit.label) for s in scenarios))
    names = list(dict.fromkeys(n for n, _, _ in check.single))
    value = {(n, s): x for n, s, x in check.single}
    names.sort(key=lambda n: -max(abs(value[n, s]) for s in scenarios))
    body = tuple((text(n), *(_money((value[n, s], None), unit, plus=True) for s in scenarios)) for n in names)
    return Table("One elasticity at a time: change of expected P&L", columns, body,
                 note="The same random numbers in every run. Effects do not add up: elasticities multiply "
                      "along the chain.")


def _pair(value: float, se: float | None, css: str = "", digits: int = 2) -> Cell:
    size = max(abs(value), 1e-12)
    decimals = 1 if size >= 10 else digits
    if se is not None and 0 < se < 10.0**-decimals / 2:
        decimals += 1
    note = f"({formats.number(se, decimals)})" if se is not None and se > 0 else ""
    return amount(value, decimals, note, css)


def _money(pair: tuple[float, float | None], unit: formats.MoneyUnit, plus: bool = False) -> Cell:
    from riskengine.reports.html_table import money

    return money(pair[0], unit, pair[1], plus=plus)
