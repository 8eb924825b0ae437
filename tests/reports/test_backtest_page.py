"""The court's page from small made-up results: what it says, escaping, size, drawings; published costs."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

from backtests.liquidity_cases import expected_shortfall, published_costs, stressed_books
from riskengine.base.errors import InputError
from riskengine.coverage_result import CoverageCell, CoverageReport, CoverageWinner
from riskengine.data.configs import config_root
from riskengine.data.market_inputs import load_market_inputs
from riskengine.data.parameters import load_parameters
from riskengine.measures.liquidity import cascade_es
from riskengine.reports.backtests import render_court
from riskengine.reports.charts.court import exceptions_chart, fan_chart, probability_columns, year_strip
from riskengine.reports.sections import court_score
from riskengine.reports.sections.court_episodes import plain_labels, unit_of, variable_name

VOID = {"meta", "br", "rect", "line", "path", "link", "img"}


class Balance(HTMLParser):
    """Every opened element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"{tag} at {self.getpos()}")


def cell(book="FX majors", model="garch_fhs", level=0.99, **changes) -> CoverageCell:
    """A plain verdict."""
    given = dict(
        book=book, asset_class="currencies", model=model, level=level, first="1979-01-02", last="2024-09-24",
        observations=1000, exceptions=12, expected=10.0, other_tail_exceptions=9, kupiec_lr=0.4,
        kupiec_p=0.53,
        christoffersen_lr=0.1, christoffersen_p=0.75, conditional_coverage_p=0.8, duration_shape=1.0,
        duration_p=0.9,
        dynamic_quantile_p=0.7, traffic_light="green", cumulative_probability=0.8, days_green=0.9,
        days_yellow=0.1,
        days_red=0.0, most_in_250_days=6, z1=-0.05, z1_p=0.3, z1_critical=-0.2, z2=-0.2, z2_p=0.25,
        z2_critical=-0.6,
        mean_var=0.01, mean_es=0.013, fz0=-3.5, fz0_difference=0.0, dm_t=math.nan, dm_p=math.nan,
        pit_counts=(50,) * 20, pit_uniform_p=0.5, pit_kolmogorov_p=0.2, berkowitz_p=0.4,
        by_year={2008: (250, 9), 2009: (250, 0), 2010: (250, 2), 2011: (250, 1)},
        by_regime={"2000s": {"observations": 500, "exceptions": 9, "expected": 5.0, "kupiec_p": 0.1,
                             "fz0_difference": 0.0},
                   "crisis": {"observations": 100, "exceptions": 6, "expected": 1.0, "kupiec_p": 0.0001,
                              "fz0_difference": 0.0}},
        rolling=(("2008-12-31", 9), ("2009-12-31", 0), ("2010-12-31", 2)))
    return CoverageCell(**{**given, **changes})


@pytest.fixture
def report() -> CoverageReport:
    """Two books, two models, two levels; the default fails on one book."""
    cells = []
    for level in (0.99, 0.975):
        cells += [cell(level=level), cell(model="gaussian", level=level, traffic_light="red", exceptions=30,
                                          kupiec_p=1e-7,
                                          fz0_difference=0.1, dm_t=3.0, dm_p=0.003),
                  cell("total", asset_class="total", level=level, exceptions=25, kupiec_p=1e-4,
                       traffic_light="red"),
                  cell("total", "gaussian", level, asset_class="total", traffic_light="yellow")]
    models = {"gaussian": "normal", "garch_fhs": "filtered"}
    winners = tuple(CoverageWinner(k, level, "garch_fhs", 1, {"gaussian": 0.1, "garch_fhs": 0.0},
                                   {"gaussian": 0},
                                   {"gaussian": 1}, {"gaussian": 0, "garch_fhs": 1},
                                   {"gaussian": 30, "garch_fhs": 12}, 10.0)
                    for k in ("currencies", "total") for level in (0.99, 0.975))
    return CoverageReport("2024-09-24", "embedded", (0.99, 0.975), "garch_fhs", models,
                          {"FX majors": "seven", "total": "40, 60, 20"}, tuple(cells), winners,
                          ("A sentence.",), 1.0)


def forecast(variable, weeks, model, realised, median=0.0, width=0.05) -> dict:
    """A symmetric band around *median*."""
    z = [-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645]
    q = [median + width * x for x in z]
    inside = realised is not None and q[1] <= realised <= q[5]
    return {"episode": "e", "variable": variable, "weeks": weeks, "model": model, "mean": median,
            "quantiles": q,
            "realised": realised, "inside": inside, "pit": None if realised is None else 0.5,
            "crps": None if realised is None else abs(realised - median), "log_score": None
            if realised is None else -1.5}


def record(name, title, realised=0.20, **changes) -> dict:
    """An episode of three variables."""
    forecasts = [forecast(v, w, m, realised * s, median * s if m == "engine" else 0.0, 0.05 * s)
                 for v, s in (("DOLLAR", 1.0), ("UST_10Y", 0.05), ("BOOK_TOTAL", 100.0))
                 for w in (0, 4, 13, 52)
                 for m, median in (("engine", -0.04), ("no_scenario", 0.0), ("covariance", 0.0))]
    path = [[1, 26, 52], [0.01, 0.1, realised]] if realised is not None else [[], []]
    given = {"name": name, "title": title, "announced": "1985-09-22", "base": "1985-09-20", "kind": "accord",
             "announcement": "They agree <b>loudly</b>.", "narrative": "A fall is entered.",
             "source": "A paper",
             "unknowable": "That it would go on.", "revised": ["today's vintage"], "not_applicable": "",
             "available": [],
             "remarks": ["absent at 1985-09-20: FX_BRL, EQ_SP500"], "flags": ["a flag"],
             "chain": {"gross_orders_usd_bn": -7.0, "broad_dollar": 0.0681, "treasury_10y_flow_bp": 2.6},
             "channels": {"UST_10Y": {"flow": 0.0002, "policy_path": 0.0005}},
             "controls": [{"factor": "UST_10Y", "most": 0.001, "response": 0.0023, "realised": -0.003,
                           "small": False,
                           "reason": "nobody sells"}],
             "response": {}, "outcome_path": {"DOLLAR": path}, "forecasts": forecasts}
    return {**given, **changes}


@pytest.fixture
def result() -> dict:
    """Two episodes, one of which is not applicable."""
    first, other = record("plaza", "Plaza <Accord>"), record("brazil", "Brazil",
                                                             not_applicable="outside this engine")
    skill = [{"group": g, "weeks": w, "rival": r, "skill": s, "lowest": s - 0.1, "highest": s + h,
              "most_needed": "plaza",
              "episodes": 1, "cells": 4, "inside": 0.25, "expected_low": 0.5, "expected_high": 1.0,
              "sign_hits": 1,
              "sign_cells": 2, "log_score_gain": 0.1}
             for g, s, h in (("dollar", 0.05, 0.1), ("ten-year beyond the path", -0.02, 0.1),
                             ("yields", -0.3, 0.1))
             for w in (0, 4, 13, 52) for r in ("no_scenario", "covariance")]
    loo = [{"episode": "plaza", "kind": "accord", "cells": 12, "own_skill": -0.2, "skill_without": 0.01,
            "skill_with_all": 0.03, "inside_80": 0.25}]
    return {"schema_version": "1.0", "data_version": "embedded", "episodes": [first, other], "skill": skill,
            "leave_one_out": loo, "controls": [{"episode": "plaza", **first["controls"][0]}],
            "worse": ["yields at 1 day: worse than the same model without a scenario by 30% of its CRPS"],
            "failed": {"early": "no data at that date"}}


@pytest.fixture
def page(report, result) -> str:
    """The whole page."""
    return render_court(report, result, [asdict(c) for c in published_costs()], "no history")


def test_the_page_is_whole_and_self_contained(page):
    parser = Balance()
    parser.feed(page)
    assert parser.wrong == [] and parser.open == []
    assert not re.search(r'(src|href)="(?!#)', page), "everything is inside the file"
    for anchor in ("scorecard", "episodes", "coverage", "liquidity", "method", "episode-plaza"):
        assert f'id="{anchor}"' in page
    assert "nan" not in re.sub(r"<style>.*?</style>|<script>.*?</script>", "", page,
                               flags=re.S).lower().split()
    assert "None" not in re.findall(r">([^<]*)<", page.replace('<p class="muted">None.</p>', ""))


def test_words_of_files_are_escaped(page):
    assert "<b>loudly</b>" not in page and "&lt;b&gt;loudly" in page
    assert "Plaza <Accord>" not in page and "Plaza &lt;Accord&gt;" in page


def test_the_scorecard_says_where_not_to_trust_the_engine(report, result):
    found = dict(court_score.warnings(report, result))
    assert any(s.startswith("Yields at 1 day: worse than") for s in found["Where a rival is better"])
    assert any("Ten-year beyond the path at 4 weeks: no better" in s
               for s in found["Where a rival is better"])
    assert any("Only with “Plaza <Accord>”" in s for s in found["Where a rival is better"])
    assert any("25%" in s and "50% to 100%" in s for s in found["Where the bands are too narrow"])
    losses = found["Episodes that the scenario made worse, and why"]
    assert len(losses) == 1 and "That it would go on." in losses[0] and "happened +" in losses[0]
    assert "23.0 bp, limit 10 bp" in found["Controls that moved"][0]
    uncovered = found["Books the default model does not cover"]
    assert len(uncovered) == 1 and uncovered[0].startswith("total: VaR too small, 25 exceptions")


def test_narrow_one_day_bands_are_explained_by_the_announcement(report, result):
    day = {"episodes": 21, "cells": 387, "inside": 0.61, "widening": 1.7, "lowest": 1.6, "highest": 1.75,
           "inside_left_out": 0.8, "calm": 13}

    def narrow(day):
        return dict(court_score.warnings(report, {**result, "announcement_day": day}))[
            "Where the bands are too narrow"]

    last = narrow(day)[-1]
    assert "61% of 387 moves" in last and "1.7 times as wide (1.6 to 1.8 leaving" in last
    assert "on all days of their books the same band held 80%" in last and "13 of 21 episodes" in last
    assert len(narrow(day)) == len(narrow(None)) + 1
    assert len(narrow({**day, "lowest": 0.9})) == len(narrow(None)), "one episode alone is no finding"


def test_a_clean_court_has_nothing_to_warn_of(report, result):
    fine = replace(report, cells=tuple(replace(c, traffic_light="green", kupiec_p=0.5) for c in report.cells))
    calm = {**result, "worse": [], "controls": [], "leave_one_out": [{**result["leave_one_out"][0],
                                                                      "own_skill": 0.2}],
            "skill": [{**s, "skill": 0.2, "lowest": 0.1, "highest": 0.3, "inside": 0.8}
                      for s in result["skill"]]}
    assert [sentences for _, sentences in court_score.warnings(fine, calm)] == [[], [], [], [], []]
    assert render_court(fine, calm).count('<p class="muted">None.</p>') == 5


def test_lights_and_hits_are_counted(report, result):
    table = court_score.lights(report)
    assert [row[0].text for row in table.rows] == ["garch_fhs (default)", "gaussian"]
    assert "●" in table.rows[0][1].text and "■" in table.rows[0][2].text and "■" in table.rows[1][1].text
    assert table.rows[0][3].sort == pytest.approx(37 / 20) and table.rows[0][4].text == "1 of 2"
    band = court_score.band_table(result)
    assert band.rows[0][1].text == "25%" and "hm" in band.rows[0][1].css and band.rows[0][-2].text == "4 / 8"
    strip = {heading: (value, bad) for heading, value, _, bad in court_score.figures(report, result)}
    assert strip["Negative controls small"] == ("0 of 1", True) and strip["Inside the 80% band"] == ("25%",
                                                                                                     True)


def test_episodes_are_cards_with_units(page):
    card = page[page.index('id="episode-plaza"'):page.index('id="episode-brazil"')]
    assert card.count('<figure class="chart') == 3  # dollar, ten-year, book; no equity at the time
    assert "No model of: S&amp;P 500" in card and "Absent at 1985-09-20: BRL, S&amp;P 500." in card
    assert "▲ +20.0" in card and "6.81%" in card
    assert "Not applicable, shown and not scored" not in card
    assert "Not applicable, shown and not scored" in page[page.index('id="episode-brazil"'):]
    assert "early was not replayed" in page


def test_an_episode_whose_year_is_not_over_is_shown(report, result):
    young = record("young", "Young", realised=0.1)
    for f in young["forecasts"]:
        if f["weeks"] == 52:
            f.update(realised=None, inside=False, pit=None, crps=None, log_score=None)
    page = render_court(report, {**result, "episodes": [*result["episodes"], young]})
    card = page[page.index('id="episode-young"'):page.index('id="coverage"')]
    assert ">–<" in card


def test_nothing_replayed_still_has_a_page(report):
    empty = {"data_version": "embedded", "episodes": [], "skill": [], "leave_one_out": [], "controls": [],
             "worse": [],
             "failed": {"x": "y"}}
    assert "No episode could be replayed." in render_court(report, empty)


def test_units_and_names():
    assert [unit_of(x)[0] for x in ("UST_10Y_RESIDUAL", "BOOK_FX", "FX_JPY")] == ["bp", "USD mn", "%"]
    assert variable_name("FX_JPY") == "JPY" and variable_name("UST_2Y") == "2Y"
    assert variable_name("EQ_LISTED_REAL_ESTATE") == "Listed real estate"
    assert variable_name("EQ_DOMESTIC") == "Domestic"
    assert plain_labels("absent: FX_BRL, UST_3M, EQ_SP500") == "absent: BRL, 3M, S&P 500"


def test_drawings_hold_what_they_show():
    fan = fan_chart([0.2, 4, 13, 52], [(-2, -1, 0, 1, 2)] * 4, [(1, 0.5), (52, 30.0)], [(-1, 1)] * 4, "t",
                    "%")
    assert "realised 30.0" in fan and fan.count("band c1") == 2
    numbers = [float(y) for y in re.findall(r"[ML][\d.]+ (-?[\d.]+)", fan)]
    assert min(numbers) >= 0 and max(numbers) <= 200
    assert "most 11" in exceptions_chart([("m", "c1", (("2008-12-31", 11), ("2009-06-30", 2)))], "t")
    assert probability_columns([5, 5, 10], "t").count("<rect") == 3
    strip = year_strip([("m", {2008: (250, 12), 2009: (250, 2)})], 0.99, "t")
    assert "12 exceptions in 250 days, 2.5 expected" in strip and "hm5" in strip and "h0" in strip


def test_published_costs_are_reproduced():
    rows = published_costs()
    assert len(rows) == 6
    for r in rows:
        assert r.computed == pytest.approx(r.printed, abs=0.51)  # printed in whole basis points
        assert r.square_root[1] == pytest.approx(1.5 * r.square_root[0])
        assert 0.5 < r.square_root[0] / r.computed[2] < 2.0  # the two laws at Y = 1/2


def test_liquidity_horizons_of_the_standard_book():
    inputs = load_market_inputs(config_root() / "market_inputs.csv", "2024-09-24")
    books = stressed_books("2024-09-24", load_parameters(), inputs)
    small, large = books[:2]
    assert (small.notional_mn, large.notional_mn) == (100.0, 10_000.0)
    assert small.cascaded == pytest.approx(cascade_es(small.es)) and small.cascaded >= small.es[0]
    assert "2008" in small.last and 10 < small.es[0] < 60
    assert large.es[0] == pytest.approx(100 * small.es[0])
    assert large.spread_cost == pytest.approx(100 * small.spread_cost)
    assert large.impact_cost == pytest.approx(1000 * small.impact_cost)  # degree 1.5
    for b in books:
        assert b.loss == pytest.approx(b.cascaded + b.spread_cost + b.impact_cost)
    with pytest.raises(InputError):
        stressed_books("1999-06-30", load_parameters(), inputs)
    with pytest.raises(InputError, match="adv_usd.EQ_SP500"):
        stressed_books("2024-09-24", load_parameters(), {k: v for k, v in inputs.items()
                                                         if k != "adv_usd.EQ_SP500"})


def test_expected_shortfall_of_a_sample():
    pnl = -np.arange(1.0, 101.0)
    assert expected_shortfall(pnl, 0.975) == pytest.approx((100 + 99 + 0.5 * 98) / 2.5)
    assert expected_shortfall(np.zeros(50)) == 0.0


def test_the_command_refuses_a_folder_before_any_work(tmp_path):
    from riskengine.cli.backtests import backtest_app
    from riskengine.workflows.court import run_court

    with pytest.raises(InputError, match="a file is needed"):
        run_court(None, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        run_court(None, tmp_path / "file" / "page.html")
    shown = CliRunner().invoke(backtest_app, ["report", "--help"])
    assert shown.exit_code == 0 and "--out" in shown.output
