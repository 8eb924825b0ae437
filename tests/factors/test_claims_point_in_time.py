"""Nothing published after the as-of date reaches a verdict: the future is poisoned and nothing may change."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from factors.claims import accounting, dollar, holders, inflows, saving, tariffs, yields
from factors.claims.assess import conclude
from factors.claims.series import gather_evidence
from riskengine.data.local_store import ImportedSeries, known_on, write_series
from riskengine.data.published_tables import read_tables
from riskengine.data.selection import use_store

AS_OF = "2019-07-15"
FAMILIES = (accounting.test_accounting, saving.test_saving, yields.test_yields, holders.test_holders,
            dollar.test_dollar, tariffs.test_tariffs, inflows.test_inflows)


def verdicts() -> list[dict]:
    evidence = gather_evidence(AS_OF)
    return [asdict(c) for c in conclude([d for family in FAMILIES for d in family(evidence)])]


def imported(rng: np.random.Generator) -> list[ImportedSeries]:
    months = (np.datetime64("1984-12", "M") + np.arange(1, 486)).astype("datetime64[D]") - 1

    def one(name: str, values: np.ndarray) -> ImportedSeries:
        return ImportedSeries(name, name, "unit", "monthly", "invented", "invented.csv", months, values, 45,
                              False)

    names = ["acm.ACMY10", "acm.ACMRNY10", *(f"tic.flows.{w}.{k}_net" for w in ("official", "total")
                                             for k in ("treas", "agcy", "corp", "stk"))]
    levels = ["china_mainland", "grand_total", "united_kingdom", "belgium", "ireland", "korea_south"]
    return [*(one(n, rng.standard_normal(485) * 100) for n in names),
            *(one(f"tic.holders.{n}", 500 + rng.standard_normal(485).cumsum()) for n in levels)]


def test_poisoned_future_changes_nothing(tmp_path, monkeypatch):
    import riskengine.data.panels as panels

    series = imported(np.random.default_rng(1))
    clean = write_series(series, tmp_path / "clean").store
    poisoned = []
    for s in series:
        late = known_on(clean.entry(s.id), s.dates) > np.datetime64(AS_OF)
        assert late.any()
        poisoned.append(replace(s, values=np.where(late, 1e6 + 7.0 * s.values, s.values)))
    write_series(poisoned, tmp_path / "poisoned")
    with use_store(tmp_path / "clean"):
        before = verdicts()
    original = panels.full_history

    def false_future(name):
        history = original(name)
        dates, values = history[0], np.array(history[1])
        late = panels.known_dates(panels.panel_info(name), dates) > np.datetime64(AS_OF)
        values[late] = 1e3 + 13.0 * values[late]
        return dates, values

    monkeypatch.setattr(panels, "full_history", false_future)
    with use_store(tmp_path / "poisoned"):
        after = verdicts()
        assert panels.load_panel("rates_monthly", "2026-10-01").values[-1].max() > 900, "the poison is there"
    assert sum(c["verdict"] != "data missing" for c in before) > 12
    assert before == after


def test_poison_before_the_date_is_noticed(tmp_path):
    series = imported(np.random.default_rng(1))
    write_series(series, tmp_path / "a")
    series[0] = replace(series[0], values=series[0].values * 3)
    write_series(series, tmp_path / "b")
    results = []
    for name in "ab":
        with use_store(tmp_path / name):
            results.append(conclude([yields.flows_and_premium(gather_evidence(AS_OF))])[0].estimate.value)
    assert results[0] != results[1]


@pytest.mark.parametrize(("as_of", "newest_survey", "has_2026", "has_27_6"), [
    ("2024-04-29", "2022-06", False, False), ("2024-04-30", "2023-06", False, False),
    ("2026-07-17", "2023-06", False, True), ("2026-07-18", "2023-06", True, True)])
def test_tables_appear_when_they_were_published(as_of, newest_survey, has_2026, has_27_6):
    tables = read_tables(as_of)
    assert tables["survey_holdings"][-1]["survey"] == newest_survey
    assert bool(tables["area_holdings"]) == has_2026
    assert any(r["date"] == "2025-09-30" for r in tables["positions"]) == has_27_6
    assert all(r["known"] <= as_of for r in tables["market_sizes"])
