"""The page of claims and the section of the nightly report: whole, self-contained, escaped, honest about
gaps."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from html.parser import HTMLParser

import numpy as np
import pytest

from riskengine.reports.charts.scatter import scatter
from riskengine.reports.claims import VERDICTS, overview, render_claims
from riskengine.result import Claim, ClaimEstimate, ClaimsResult
from riskengine.workflows import claims as workflow


def claim(name: str, verdict: str, **fields) -> Claim:
    e = ClaimEstimate("main", -0.5, "pp per pp", 0.1, -0.7, -0.3, 120, "1990Q1 to 2019Q4")
    base = dict(id=name, family="Saving", title=f"Title <{name}>", claim="It is so & more.",
                said_by="a source",
                equation="y = a + b x", series=("panel.X",), expected_seed="b < 0",
                expected_literature="b = 0",
                verdict=verdict, reason="Because.")
    return Claim(**(base | ({"estimate": e, "p": 0.0004, "p_holm": 0.02, "q": 0.01}
                            if fields.pop("tested", True)
                            else {}) | fields))


def result() -> ClaimsResult:
    rng = np.random.default_rng(0)
    cloud = {"kind": "scatter", "x": rng.standard_normal(50).tolist(), "y": rng.standard_normal(50).tolist(),
             "labels": [f"20{i:02d}Q1" for i in range(50)], "mark": 7, "slope": -0.5, "intercept": 0.1,
             "x_label": "x, %", "y_label": "y, %"}
    lines = {"kind": "lines", "unit": "%", "x": [2000.0, 2001.0, 2002.0], "lines": [("CA", [1.0, None, 2.0])]}
    bars = {"kind": "bars", "unit": "%", "decimals": 1, "title": "Bars",
            "rows": [("a", 1.0, 0.5, 1.5), ("b", -1.0, None, None)]}
    other = ClaimEstimate("without 2008Q4", -0.1, "pp per pp", 0.1, -0.3, 0.1, 119)
    return ClaimsResult("2024-12-31", "abc", "The rule.", (
        claim("A", "supported", chart=cloud, without=(("without 2008Q4", other, "undecided"),),
              influential="2008Q4"),
        claim("B", "contradicted", chart=lines, others=(ClaimEstimate("beside", 0.2, "%"),)),
        claim("C", "undecided", chart=bars), claim("D", "identity holds", tested=False),
        claim("E", "untestable", tested=False),
        claim("F", "data missing", tested=False, missing=("tic.x", "acm.y"))))


class Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.ids, self.words, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.ids += [v for k, v in attributes if k == "id"]

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_and_fetches_nothing():
    text = render_claims(result())
    page = Page(text)
    assert {"overview", "A", "B", "C", "D", "E", "F", "missing"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    for tag, attributes in page.tags:
        for key in ("src", "href"):
            assert attributes.get(key, "#").startswith("#"), (tag, attributes)
    assert "Title &lt;A&gt;" in text and "Title <A>" not in text
    assert not re.search(r"\bnan\b", " ".join(page.words).split("function")[0], re.IGNORECASE)
    assert sum(tag == "svg" for tag, _ in page.tags) == 3


def test_the_table_says_which_verdict_one_observation_turns():
    table = overview(result().claims)
    rows = {row[0].text: row for row in table.rows}
    assert rows["A"][-1].text == "undecided without 2008Q4"
    assert rows["A"][2].text.endswith("Supported") and "status-ok" in rows["A"][2].css
    assert rows["A"][7].text == "<\u202f0.001"
    assert rows["D"][3].text == ""
    assert all(v in VERDICTS for v in (c.verdict for c in result().claims))


def test_a_scatter_names_its_marked_point_and_keeps_the_line_inside():
    drawing = str(scatter([0, 1, 2], [0, 100, 200], ["a", "b", "c"], "t", "x", "y", slope=1e6, mark=1))
    assert "most influential: b" in drawing
    ys = [float(v) for v in re.findall(r"[ML][\d.]+ (-?[\d.]+)", drawing)]
    assert all(-1 <= y <= 261 for y in ys)


def test_a_result_survives_the_cache_and_is_shown_only_from_its_date_on(tmp_path, monkeypatch):
    monkeypatch.setenv("RISKENGINE_CACHE", str(tmp_path))
    assert workflow.cached_claims("2030-01-01") is None
    workflow._keep(result())
    back = workflow.cached_claims("2024-12-31")
    assert json.dumps(asdict(back)) == json.dumps(asdict(result()))
    assert workflow.cached_claims("2024-12-30") is None
    rows = workflow.claim_rows("2025-06-01")
    assert [r["verdict"] for r in rows] == [c.verdict for c in result().claims]


def test_a_damaged_cache_is_no_result(tmp_path, monkeypatch):
    monkeypatch.setenv("RISKENGINE_CACHE", str(tmp_path))
    workflow._keep(result())
    for file in tmp_path.glob("claims-*"):
        file.write_text(file.read_text()[:100])
    assert workflow.cached_claims("2025-01-01") is None


def test_the_nightly_section_lists_verdicts_or_says_how_to_get_them():
    from riskengine.reports.sections.claims import view

    class Night:
        tables = {"claims": [{"id": "A", "family": "Saving", "title": "T", "verdict": "supported",
                              "reason": "R",
                              "said_by": "S", "as_of": "2024-09-20"}]}

    shown = view(Night())
    assert shown["as_of"] == "2024-09-20" and shown["claims"].rows[0][2].text.endswith("Supported")
    Night.tables = {}
    assert view(Night()) == {"claims": None, "as_of": ""}


@pytest.mark.parametrize("as_of", ["2002-12-31", "not-a-date"])
def test_dates_that_cannot_be_tested_are_refused(as_of):
    from riskengine.base.errors import InputError

    with pytest.raises(InputError):
        workflow.run_claims(as_of)
