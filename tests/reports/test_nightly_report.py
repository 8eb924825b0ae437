"""The HTML page: complete, offline, escaped, honest about what is missing, and usable in a browser and on
paper."""

import dataclasses
import math
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from night_factory import REPLAYS, make_night

from riskengine.reports.nightly import SECTIONS, render_night

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Collects ids, hrefs, tags and visible text; refuses tags that do not close in order."""

    def __init__(self, source: str):
        super().__init__()
        self.open, self.ids, self.links, self.sources, self.words = [], [], [], [], []
        self.feed(source)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if "href" in given else []
        self.sources += [v for k, v in attrs if k in ("src", "srcset", "action", "data", "xlink:href")]
        assert not any(k.startswith("on") for k in given), given
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture(scope="module")
def night():
    return make_night()


@pytest.fixture(scope="module")
def html(night):
    return render_night(night)


def test_the_page_is_complete_well_formed_and_small(night, html):
    page = Page(html)
    assert {anchor for anchor, _, _ in SECTIONS} <= set(page.ids)
    assert {f"scenario-{s.name}" for s in night.scenarios} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert all(link[1:] in page.ids for link in page.links)
    assert len(html.encode()) < 3_000_000
    for fact in (night.as_of, night.accounts_as_of, night.run_id, "VaR 99%, 1 day", "ES 97.5%, 10 days"):
        assert fact in page.text


def test_the_page_needs_no_network(html):
    page = Page(html)
    assert page.sources == [] and all(link.startswith("#") for link in page.links)
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttpRequest", html)


def test_rendering_is_repeatable(night, html):
    assert render_night(night) == html


def test_values_are_escaped_everywhere(night):
    evil = "<script>alert(1)</script>\"'&"
    scenario = dataclasses.replace(night.scenarios[2], title=evil, narrative=evil, source=evil, flags=(evil,),
                                   by_desk={evil: -1e6}, channels={evil: 1e6})
    positions = tuple(dataclasses.replace(p, description=evil, desk=evil)
                      for p in night.baseline[0].positions)
    risk = dataclasses.replace(night.baseline[0], positions=positions)
    tables = {**night.tables, "identities": [{evil: evil}], "series": [{"name": evil, "value": [evil]}],
              "accounts": [{"holder": evil, "treasury": 1.0}], "parameters": [{"name": evil, "unit": evil}]}
    html = render_night(dataclasses.replace(night, scenarios=(scenario,), baseline=(risk, night.baseline[1]),
                                            run_id=evil, tables=tables))
    Page(html)
    assert "<script>alert" not in html and html.count("<script") == 1


def test_missing_numbers_are_dashes_never_nan(night):
    def spoil(value):
        if isinstance(value, float):
            return math.nan
        if isinstance(value, np.ndarray):
            return np.full_like(value, math.nan)
        if isinstance(value, dict):
            return {k: spoil(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(spoil(v) for v in value)
        if dataclasses.is_dataclass(value):
            return dataclasses.replace(value,
                                       **{f.name: spoil(getattr(value, f.name))
                                          for f in dataclasses.fields(value)
                                                 if f.name not in ("levels", "position_level")})
        return value

    broken = make_night(scenarios=4, positions=12)
    html = render_night(spoil(broken))
    page = Page(html)
    assert not re.search(r"\bnan\b|\binf\b|\bNone\b", page.text, re.IGNORECASE)
    assert not re.search(r'="[^"]*\bnan\b', html, re.IGNORECASE)
    assert "–" in page.text


def test_an_empty_night_says_what_is_missing(night):
    empty = dataclasses.replace(night, scenarios=(), limits=(), data_quality=(), baseline=(), tables={},
                                exposures=type(night.exposures)({}, {}, {}, {}, {}, {}, {}))
    text = Page(render_night(empty)).text
    for what in ("Limits", "Worst scenarios", "Positions", "Foreign holdings", "Identities checked",
                 "Saving by sector",
                 "Parameters", "Coverage", "Factor diagnostics", "Series", "Exposures", "Market inputs"):
        assert f"{what}: not available in this run." in text, what
    assert "No previous run" in text


def test_the_comparison_comes_bare_or_with_its_run(night):
    rows = night.tables["comparison"]
    wrapped = {"previous_run_id": "20240923T220000Z-00000000", "note": "not rebuilt", "rows": rows}
    text = Page(render_night(dataclasses.replace(night, tables={**night.tables, "comparison": wrapped}))).text
    assert "previous run 20240923T220000Z-00000000 · not rebuilt" in text
    assert "No previous run" not in text
    rows = [{**rows[0], "positions": None}]
    assert "No previous run" not in render_night(dataclasses.replace(night, tables={"comparison": rows}))


def test_the_far_tail_stands_beside_plain_paths_and_may_be_missing(night, html):
    text = Page(html).text
    for words in ("Far tail by importance sampling", "99.9%", "times lower", "mean weight 1.002 ± 0.008",
                  "4,649 days of history: beyond 99.9% lie about 4.6 of them", "plain 33"):
        assert words in text, words
    assert text.count("days of history") == 1, "only one-day paths are single days"
    without = tuple(dataclasses.replace(r, far_tail=None) for r in night.baseline)
    assert "Far tail" not in render_night(dataclasses.replace(night, baseline=without))


def test_limits_put_the_breach_first_and_page_one_counts_them(html):
    front = html[html.index('id="summary"'): html.index('id="risk"')]
    assert "Breach 1" in front.replace("\xa0", " ")
    body = front[front.index("Limits</h2>"):]
    assert body.index("Breach</td>") < body.index("Warning</td>") < body.index("OK</td>")


def test_scenarios_without_flows_say_so(night, html):
    for name in REPLAYS:
        part = html[html.index(f'id="scenario-{name}"'):]
        part = part[: part.index("</article>")]
        assert "sets prices itself" in part and "From policy to P&amp;L" not in part
    still = dataclasses.replace(
        night.scenarios[0], moves=dict.fromkeys(night.scenarios[0].moves, 0.0), expected_pnl_usd=0.0)
    part = render_night(dataclasses.replace(night, scenarios=(still,)))
    assert "Nothing moves" in part and "Who sells" not in part


def test_the_worst_scenario_leads_and_numbers_agree_with_the_result(night, html):
    worst = min(night.scenarios, key=lambda s: s.expected_pnl_usd)
    pages = re.findall(r'<article class="scenario" id="scenario-(\w+)"', html)
    assert pages[0] == worst.name and len(pages) == len(night.scenarios)
    values = [float(v) for v in re.findall(r'<td class="n heat h\w+ strong" data-v="([^"]+)"', html)]
    expected = sorted(s.expected_pnl_usd / 1e6 for s in night.scenarios)
    assert values == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_positions_on_assumed_inputs_are_marked(night, html):
    marked = [p.position_id for p in night.baseline[0].positions if p.assumed_inputs]
    quality = html[html.index('id="quality"'): html.index('id="method"')]
    assert marked and all(f">{key}<" in quality for key in marked)
    assert all(f">{key} *<" in html for key in marked)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    if not found:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


def test_in_a_browser_tables_sort_by_keyboard_pages_switch_and_nothing_overflows(html, browser, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(html, encoding="utf-8")
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    errors = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.on("request", lambda r: errors.append(r.url) if not r.url.startswith("file:") else None)
    page.goto(file.as_uri())
    column = "[...document.querySelectorAll('.heatmap tbody tr')].map(r => Number(r.cells[2].dataset.v))"
    head = page.locator(".heatmap th").nth(2)
    head.locator("[role=button]").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    values = page.evaluate(column)
    assert values == sorted(values, reverse=True)
    head.locator("[role=button]").press("Enter")
    assert page.evaluate(column) == sorted(values) and head.get_attribute("aria-sort") == "ascending"

    page.locator(".picker a").nth(3).click()
    shown = page.evaluate("[...document.querySelectorAll('.scenario')].filter(s => s.offsetParent).length")
    assert shown == 1
    visible = "[...document.querySelectorAll('.long tbody tr')].filter(r => r.offsetParent).length"
    before = page.evaluate(visible)
    page.locator(".long .more").first.click()
    assert page.evaluate(visible) > before

    page.emulate_media(media="print")
    rows, scenarios = page.evaluate(
        "[[...document.querySelectorAll('.long tbody tr')].filter(r => !r.offsetParent).length,"
        " [...document.querySelectorAll('.scenario')].filter(s => !s.offsetParent).length]")
    assert (rows, scenarios) == (0, 0)
    page.emulate_media(media="screen")
    for width in (1366, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert errors == []
    page.close()
