"""Put the sources' claims to the test at a date, keep the result by the hash of data and code, write the
page.

    run_claims()                      newest day at which anything used was published, active data store
    cached_claims("2024-09-24")       what a night shows: a result already computed, never a computation
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.data.artefacts import cache_folder
from riskengine.data.catalog import panel_info
from riskengine.data.configs import config_root
from riskengine.data.local_store import known_on
from riskengine.data.panels import known_dates, known_history, parse_as_of
from riskengine.data.selection import active_store
from riskengine.data.store import hash_files, hash_text
from riskengine.result import Claim, ClaimEstimate, ClaimsResult

EARLIEST = "2003-01-01"
FAR = "2999-12-31"
USED_PANELS = ("external_saving_quarterly", "macro_monthly", "rates_monthly", "fx_monthly", "fx_daily",
               "treasury_par_daily", "equity_daily")


def run_claims(as_of: str | None = None, step: Callable[[str, int, int], None] | None = None) -> ClaimsResult:
    """Every claim at *as_of* (default: ``latest_known_day``) on the active data store; kept in the cache.

    step : told (name of the family, done, of how many).  InputError for a malformed or too early date.
    """
    from factors.claims import assess_claims

    day = as_of or latest_known_day()
    parse_as_of(day)
    if day < EARLIEST:
        raise InputError(
            Problem("the claims need some years of accounts and currencies since 2000", field="as_of",
                                 got=day, accepted=f"{EARLIEST} or later"))
    store = active_store()
    result = assess_claims(day, data_version=store.version, step=step)
    _keep(result)
    return result


def latest_known_day() -> str:
    """The first day on which everything at hand that the claims use was known: embedded panels and the
    store."""
    store = active_store()
    days = []
    for name in USED_PANELS:
        dates, values = known_history(name, FAR)
        known = known_dates(panel_info(name), dates)
        days.append(known[np.isfinite(values)].max())
    for series in store.series.values():
        if not series.published:
            last = np.array([series.last], dtype="datetime64[D]")
            days.append(np.max(known_on(series, last)))
    return str(max(days).astype("datetime64[D]"))


def cached_claims(as_of: str) -> ClaimsResult | None:
    """The newest result computed for a day up to *as_of* on these data with this code; None when there is
    none."""
    found = []
    for file in _folder().glob(f"claims-*-{_key()}.json"):
        day = file.name[len("claims-"):len("claims-") + 10]
        if day <= as_of:
            found.append((day, file))
    for _, file in sorted(found, reverse=True):
        try:
            return read_claims(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return None


def claim_rows(as_of: str) -> list[dict]:
    """One record per claim for the nightly report, from the cache; empty when nothing was computed."""
    result = cached_claims(as_of)
    if result is None:
        return []
    return [{"id": c.id, "family": c.family, "title": c.title, "verdict": c.verdict, "reason": c.reason,
             "said_by": c.said_by, "as_of": result.as_of} for c in result.claims]


def read_claims(record: dict) -> ClaimsResult:
    """A result from its plain record (``dataclasses.asdict``)."""
    claims = []
    for row in record["claims"]:
        main = ClaimEstimate(**row["estimate"]) if row["estimate"] else None
        claims.append(Claim(**{
            **row, "estimate": main, "others": tuple(ClaimEstimate(**o) for o in row["others"]),
            "without": tuple((what, ClaimEstimate(**e), verdict) for what, e, verdict in row["without"]),
            **{k: tuple(row[k]) for k in ("series", "caveats", "missing")}}))
    return ClaimsResult(record["as_of"], record["data_version"], record["rule"], tuple(claims))


def write_page(result: ClaimsResult, file: Path) -> None:
    """The page as a self-contained HTML file, put in place atomically; InputError when it cannot be
    written."""
    from riskengine.reports.claims import render_claims

    page = render_claims(result)
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page, encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise InputError(Problem(f"the page cannot be written: {error.strerror}", field="--out",
                                 got=str(file))) from None


def _folder() -> Path:
    return cache_folder()


def _key() -> str:
    """Hash of the store, the embedded tables, the configuration and the code the claims depend on."""
    root = Path(__file__).resolve().parents[2]
    package = Path(__file__).resolve().parents[1]
    files = sorted(
        [*(root / "factors" / "claims").glob("*.py"), *(package / "data" / "bundled").glob("*.parquet"),
                    *config_root().glob("*.csv"), config_root() / "markets.toml",
                    *(config_root() / "impact").glob("*.toml"), package / "data" / "published_tables.py"])
    return hash_text(active_store().version + hash_files([f for f in files if f.is_file()]))[:16]


def _keep(result: ClaimsResult) -> None:
    """Write the result beside the others; a full disk or a read-only folder only means no cache."""
    file = _folder() / f"claims-{result.as_of}-{_key()}.json"
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(asdict(result), allow_nan=False), encoding="utf-8")
        partial.replace(file)
    except OSError:
        return
