"""External accounts at a date: TIC holdings, market sizes, income account, each as known at the as-of date.

Point in time (METHOD 1): the last survey whose date + 10 months ≤ as-of; the table of May 2026 from
2026-07-18; the income account of the last quarter published; market sizes by their own publication date.
``accounts='latest'`` takes the newest of everything whatever the as-of date.  Files:
``configs/holders.toml``, ``configs/markets.toml``, ``configs/foreign_holdings_2026-05.csv``,
``configs/foreign_holdings_by_survey.csv``.
"""

from __future__ import annotations

import csv
import math
import tomllib
from calendar import monthrange
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from riskengine.base.axes import ASSET_CLASSES
from riskengine.base.errors import InputError, Problem
from riskengine.data.configs import config_root
from riskengine.data.panels import load_panel
from riskengine.flows.external_accounts import (
    ROUNDING_USD_BN,
    ExternalAccounts,
    Holder,
    IncomeAccount,
    RealEstate,
    check_identities,
    check_row,
    rake_official,
)

TABLE_2026 = "foreign_holdings_2026-05.csv"
SURVEYS = "foreign_holdings_by_survey.csv"
FAR_FUTURE = "2999-12-31"
_COLUMNS = tuple(f"{c}_usd_bn" for c in ASSET_CLASSES)
_AGGREGATES = ("All Countries", "Grand Total", "Of Which: Foreign Official", "Of Which: Foreign Non-Official",
               "Total Europe", "Memo: Euro Area", "Total Asia")


def load_accounts(as_of: str, accounts: str = "as_of", root: Path | None = None) -> ExternalAccounts:
    """External accounts known at *as_of* (ISO date).

    accounts : 'as_of'; 'latest', the newest holdings, GDP and sizes whatever the as-of date; or an ISO date,
    the accounts known at that date.  root : folder of the configuration files (default: the shipped one).

    Raises InputError for malformed dates and files, ModelError when an identity of METHOD 1 fails.
    """
    root = root or config_root()
    day = {"as_of": as_of, "latest": FAR_FUTURE}.get(accounts, accounts)
    for field, text in (("as_of", as_of), ("accounts", day)):
        try:
            date.fromisoformat(text)
        except ValueError:
            raise InputError(Problem("not a date", field=field, got=repr(text),
                                     accepted="YYYY-MM-DD; accounts also 'as_of' or 'latest'")) from None
    areas = load_holders(root)
    markets = _read_toml(root / "markets.toml")
    rules = markets["rules"]
    newest = rules["table_2026"]["known"] <= day
    shifts = _official_shifts(root, areas)
    if newest:
        book = _read_table_2026(root, areas)
        held_at = rules["table_2026"]["date"]
    else:
        book = _read_survey(root, areas, day, rules)
        held_at = book["date"]
    areas, holdings = book["areas"], book["holdings"]
    priors = np.array([h.official_share for h in areas])
    official, _ = rake_official(holdings, priors, book["official"], shifts)
    income = _income_account(day)
    sizes, notes, sources = _market_sizes(markets, day, holdings.sum(axis=0), income.gdp, book["bills"])
    position = _known(markets["position"], day, "known")
    estate = markets["real_estate"]
    result = ExternalAccounts(
        as_of=as_of,
        accounts_as_of=held_at,
        areas=areas,
        holdings=holdings,
        official=official,
        income=income,
        position_assets=float(position["assets"]) if position else math.nan,
        position_liabilities=float(position["liabilities"]) if position else math.nan,
        position_date=position["date"] if position else "",
        real_estate=RealEstate(
            float(estate["residential"]), float(estate["commercial"]), float(estate["residential_purchases"]),
            float(estate["commercial_purchases"]), {k: float(v) for k, v in estate["exposure"].items()},
            estate["source"],
        ),
        checks=(),
        notes=(*book["notes"], *notes),
        sources=(book["source"], *sources, income.source),
        published_official=book["official"],
        known_names=tuple(name for h in load_holders(root) for name in (h.name, *h.aliases)),
        **sizes,
    )
    rows = check_identities(result, book["grand_total"], float(position["net"]) if position else None)
    extra = book["rows"]
    broken = [row["identity"] for row in extra if not row["holds"]]
    if broken:
        raise InputError([Problem(f"published totals disagree: {name}", file=TABLE_2026) for name in broken])
    return replace(result, checks=(*rows, *extra))


def load_holders(root: Path | None = None) -> tuple[Holder, ...]:
    """All areas of ``configs/holders.toml``, every problem at once."""
    path = (root or config_root()) / "holders.toml"
    table = _read_toml(path)
    problems, holders, seen = [], [], set()
    for number, row in enumerate(table.get("holder", []), start=1):
        place = f"{path.name}, holder {number} ({row.get('name', '?')})"
        allowed = set(Holder.__dataclass_fields__)
        for key in set(row) - allowed:
            problems.append(Problem("unknown key", file=place, field=key,
                                    accepted=", ".join(sorted(allowed))))
        for key in ("official_share", "treaty_interest", "treaty_dividends"):
            value = row.get(key)
            if not isinstance(value, int | float) or not 0 <= value <= 1:
                problems.append(Problem("must be a share between 0 and 1", file=place, field=key,
                                        got=str(value)))
        if not 0 < float(row.get("official_share", 0.5)) < 1:
            problems.append(Problem("prior must lie inside (0, 1)", file=place, field="official_share"))
        if row.get("name") in seen:
            problems.append(Problem("named twice", file=place))
        seen.add(row.get("name"))
        if not problems:
            holders.append(Holder(**{**row, "aliases": tuple(row.get("aliases", ()))}))
    if not problems and (not holders or holders[-1].name != "Rest"):
        problems.append(Problem("the last holder must be Rest", file=path.name))
    if problems:
        raise InputError(problems)
    return tuple(holders)


# ---------------------------------------------------------------- holdings
def _read_table_2026(root: Path, areas: tuple[Holder, ...]) -> dict:
    rows = {r["area"]: r for r in _read_csv(root / TABLE_2026)}
    missing = [n for n in _AGGREGATES if n not in rows]
    if missing:
        raise InputError([Problem("row missing", file=TABLE_2026, got=n) for n in missing])
    totals = {name: _numbers(rows[name], TABLE_2026) for name in _AGGREGATES}
    known = {name: h for h in areas for name in (h.name, *h.aliases)}
    listed = [(name, row) for name, row in rows.items() if name not in _AGGREGATES]
    problems = [Problem("area without properties in holders.toml", file=TABLE_2026, got=n)
                for n, _ in listed if n not in known]
    if problems:
        raise InputError(problems)
    holdings = np.array([_numbers(row, TABLE_2026) for _, row in listed])
    rest = totals["Grand Total"] - holdings.sum(axis=0)
    europe = [i for i, (_, row) in enumerate(listed) if row["home_currency"] == "EUR"]
    checks = [
        check_row(f"{c}: official + non-official = Grand Total",
                  totals["Of Which: Foreign Official"][a] + totals["Of Which: Foreign Non-Official"][a],
                  totals["Grand Total"][a], ROUNDING_USD_BN)
        for a, c in enumerate(ASSET_CLASSES)
    ]
    for (name, row), held in zip(listed, holdings, strict=True):
        if abs(float(row["total_usd_bn"]) - held.sum()) > ROUNDING_USD_BN:
            checks.append(check_row(f"{name}: classes add up to the total", held.sum(),
                                    float(row["total_usd_bn"]),
                                    ROUNDING_USD_BN))
    inside = holdings[europe].sum()
    checks.append({**check_row("euro-area areas listed ≤ Memo: Euro Area", inside,
                               totals["Memo: Euro Area"].sum(),
                               ROUNDING_USD_BN),
                   "holds": bool(inside <= totals["Memo: Euro Area"].sum() + 1)})
    return {
        "areas": (*(known[n] for n, _ in listed), known["Rest"]),
        "holdings": np.vstack([holdings, rest]),
        "official": totals["Of Which: Foreign Official"],
        "grand_total": totals["Grand Total"],
        "bills": None,
        "rows": tuple(checks),
        "notes": (),
        "source": "US Treasury, TIC SLT Table 1, May 2026",
    }


def _official_shifts(root: Path, areas: tuple[Holder, ...]) -> np.ndarray:
    """(A,) logit shifts that rake the table of May 2026: the rule for surveys without official totals."""
    book = _read_table_2026(root, areas)
    priors = np.array([h.official_share for h in book["areas"]])
    return rake_official(book["holdings"], priors, book["official"])[1]


def _read_survey(root: Path, areas: tuple[Holder, ...], day: str, rules: dict) -> dict:
    rows = _read_csv(root / SURVEYS)
    lag = int(rules["survey_lag_months"])
    known = sorted({r["survey"] for r in rows if _months_after(r["survey"], lag) <= day})
    if not known:
        first = min(_months_after(r["survey"], lag) for r in rows)
        raise InputError(Problem("no survey of foreign holdings was known yet", field="as_of", got=day,
                                 accepted=f"{first} or later"))
    survey = known[-1]
    rows = [r for r in rows if r["survey"] == survey]
    total = next((r for r in rows if r["area"] == "Total"), None)
    by_name = {name: h for h in areas for name in (h.name, *h.aliases)}
    listed = [r for r in rows if r["area"] != "Total"]
    problems = [Problem("area without properties in holders.toml", file=SURVEYS, got=r["area"])
                for r in listed if r["area"] not in by_name]
    if total is None:
        problems.append(Problem("no row Total", file=SURVEYS, got=survey))
    if problems:
        raise InputError(problems)
    split = np.array([rules["debt_split"][c] for c in ASSET_CLASSES[:3]])
    whole = not total["treasury_usd_bn"]

    def amounts(row: dict[str, str]) -> np.ndarray:
        equity = float(row["equity_usd_bn"] or 0.0)
        if whole:
            return np.append(float(row["long_term_debt_usd_bn"] or 0.0) * split, equity)
        return np.array([float(row[c] or 0.0) for c in _COLUMNS])

    holdings = np.array([amounts(r) for r in listed])
    grand = amounts(total)
    notes = [f"{len(listed)} areas are listed in the survey of {survey}; the others are in Rest",
             "official shares: priors with the class shifts of May 2026 (no official totals by survey)"]
    if whole:
        notes.append("long-term debt is one figure in this survey: split 54.8/12.7/32.5 as in December 1994")
    if not total["short_term_treasury_usd_bn"]:
        notes.append("foreign holdings of bills are not published in this survey: taken as zero")
    year, month = int(survey[:4]), int(survey[5:])
    return {
        "areas": (*(by_name[r["area"]] for r in listed), by_name["Rest"]),
        "holdings": np.vstack([holdings, grand - holdings.sum(axis=0)]),
        "official": None,
        "grand_total": grand,
        "bills": float(total["short_term_treasury_usd_bn"] or 0.0),
        "date": date(year, month, monthrange(year, month)[1]).isoformat(),
        "rows": (),
        "notes": tuple(notes),
        "source": f"US Treasury, survey of foreign holdings of US securities, {survey}",
    }


def _months_after(survey: str, months: int) -> str:
    """Last day of the month *months* after the survey's."""
    index = int(survey[:4]) * 12 + int(survey[5:]) - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, monthrange(year, month)[1]).isoformat()


# ---------------------------------------------------------------- sizes and income
def _market_sizes(
    markets: dict, day: str, foreign: np.ndarray, gdp: float, bills: float | None
) -> tuple[dict, list[str], list[str]]:
    rules = markets["rules"]
    known = [m for m in markets["market"] if m["known"] <= day]
    # On the day asked for, a figure older than stale_years gives way to the rule.
    oldest = -9999 if day == FAR_FUTURE else int(day[:4]) - int(rules["stale_years"]) - 1
    notes: list[str] = []
    sources: list[str] = []

    def figure(key: str) -> float | None:
        rows = [m for m in known if key in m and m["year"] >= oldest]
        if not rows:
            return None
        row = max(rows, key=lambda m: m["year"])
        sources.append(f"{key} {row['year']}: {row['source']} [{row['mark']}]")
        return float(row[key])

    def ruled(key: str, value: float, rule: str) -> float:
        notes.append(f"{key}: no figure for these years, rule '{rule}' gives {value:,.0f} USD bn "
                     "(assumption)")
        return value

    def by_gdp(key: str) -> float:
        found = figure(key)
        return found if found is not None else ruled(key, gdp * rules[key]["share_of_gdp"],
                                                     rules[key]["rule"])

    treasury, agency, corporate = by_gdp("treasury"), by_gdp("agency"), by_gdp("corporate")
    year = 9999 if day == FAR_FUTURE else int(day[:4])
    share = next(r["share"] for r in rules["equity"]["foreign_share_of_equity"] if r["from"] <= year)
    equity = foreign[3] / share
    notes.append(f"equity: {rules['equity']['rule']} = {foreign[3]:,.0f} / {share:.2f} "
                 f"[{rules['equity']['mark']}]")
    fed_treasury = figure("fed_treasury")
    if fed_treasury is None:
        rule = rules["federal_reserve"]
        fed_treasury = ruled("Federal Reserve", treasury * rule["share_of_treasury"], rule["rule"])
    fed_agency = figure("fed_agency")
    if fed_agency is None:
        fed_agency = ruled("Federal Reserve agency", 0.0, "none before the first figure")
    if bills is None:
        bills = figure("bills") or 0.0
    purchases = next((float(m["purchases"]) for m in reversed(sorted(known, key=lambda m: m["year"]))
                      if "purchases" in m), None)
    if purchases is None:
        rule = rules["purchases"]
        purchases = ruled("usual purchases", foreign.sum() * rule["share_of_holdings"], rule["rule"])
    mix = np.array([rules["purchase_mix"][c] for c in ASSET_CLASSES])
    sizes = {
        "capitalisation": np.array([treasury, agency, corporate, equity]),
        "central_bank": np.array([fed_treasury, fed_agency, 0.0, 0.0]),
        "bills": np.array([bills, 0.0, 0.0, 0.0]),
        "purchases": purchases * mix,
    }
    return sizes, notes, sources


def _income_account(day: str) -> IncomeAccount:
    panel = load_panel("external_saving_quarterly", day)
    names = ("GDP", "NETFI", "GPSAVE", "GGSAVE", "PSAVE", "GPDI")
    columns = panel.values[:, [panel.axis.index(n) for n in names]]
    complete = np.flatnonzero(np.isfinite(columns).all(axis=1))
    if not complete.size:
        raise InputError(Problem("no complete quarter of the income account was known yet", got=day))
    row = int(complete[-1])
    gdp, balance, private, government, household, investment = (float(x) for x in columns[row])
    month = str(panel.dates[row].astype("datetime64[M]"))
    return IncomeAccount(
        quarter=f"{month[:4]}Q{(int(month[5:7]) - 1) // 3 + 1}", gdp=gdp, current_account=balance,
        household_saving=household, business_saving=private - household, government_saving=government,
        private_investment=investment,
        source="BEA, national income and product accounts (NETFI is not the ITA balance)",
    )


def _known(rows: list[dict], day: str, key: str) -> dict | None:
    known = [r for r in rows if r[key] <= day]
    return max(known, key=lambda r: r["date"]) if known else None


def _numbers(row: dict[str, str], file: str) -> np.ndarray:
    try:
        return np.array([float(row[c]) for c in _COLUMNS])
    except (KeyError, ValueError) as error:
        raise InputError(Problem("not a number", file=file, field=str(error),
                                 got=row.get("area", ""))) from None


def _read_csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(line for line in stream if not line.startswith("#")))
    except OSError as error:
        raise InputError(Problem("cannot be read", file=path.name, got=str(error.strerror))) from None


def _read_toml(path: Path) -> dict:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise InputError(Problem("cannot be read", file=path.name, got=str(error.strerror))) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(Problem(f"not valid TOML: {error}", file=path.name)) from None
