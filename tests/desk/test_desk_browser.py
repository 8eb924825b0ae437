"""The page in a real browser: knobs, trades, links, uploads, grid, two users, pictures."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

pytest.importorskip("dash", reason="the extra 'desk' is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from desk_page import SCENARIO, cell, choose, settled, until

from riskengine.desk.state import DeskState


def test_drag_a_knob_and_read_the_change(open_page, rooms):
    page = open_page()
    choose(page)
    assert cell(page, "ES 97.5%", 2) == "0.0"
    slider = page.locator("[data-knob=sell_share]")
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 7, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=4)
    until(page, "d.last.mode === 'fast'")
    assert page.inner_text("#paths-label") == f"{rooms.fast_paths:,} paths, preview"
    page.mouse.move(box["x"] + box["width"] * 0.4, y, steps=4)
    page.mouse.up()
    settled(page)
    assert page.inner_text("#paths-label") == f"{rooms.full_paths:,} paths"
    share = page.evaluate("() => window.desk.state.knobs.sell_share")
    assert 25 <= share <= 55
    state = DeskState.from_json({"scenario": SCENARIO, "knobs": {"sell_share": share}})
    found = rooms.session(rooms.full_paths).answer(rooms.request(state))
    for row, kind in (("VaR 99%", "var"), ("ES 99%", "es")):
        for column, which, sign in ((0, "before", ""), (1, "after", ""), (2, "change", "+")):
            assert cell(page, row, column) == f"{found[which][kind]['0.99']['value'] / 1e6:{sign},.1f}"
    page.keyboard.press("Control+z")
    settled(page, "!s.knobs")
    assert cell(page, "ES 99%", 2) == "0.0"


def test_a_trade_by_sentence_and_the_same_digits_on_the_command_line(open_page):
    page = open_page()
    choose(page)
    page.fill("#trade", "by 250m UST 10Y tomorrow")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problems.on", timeout=20_000)
    assert page.input_value("#trade") == "by 250m UST 10Y tomorrow"  # back in the line, to be mended
    page.keyboard.press("Escape")
    page.fill("#trade", "buy 250m UST 10Y")
    page.keyboard.press("Enter")
    settled(page, "d.last.trades.length === 1")
    assert "DV01" in page.inner_text("#trade-list")
    incremental = page.locator("#trades td").first.inner_text().replace("\u2212", "-")
    words = shlex.split(page.inner_text("#command-line"))
    command = [sys.executable, "-m", "riskengine", *words[1:], "--no-resident"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    for row in ("VaR 95%", "VaR 99%", "ES 97.5%"):
        label = row.replace("95%", "95.0%").replace("99%", "99.0%")
        line = next(x for x in printed.splitlines() if x.startswith(label)).split()
        before, after, change, error = (cell(page, row, n) for n in range(4))
        assert [before, after, change, error] == [line[2], line[4], line[6], line[7]]
    assert f" {incremental} " in next(x for x in printed.splitlines() if x.startswith("buy 250m UST 10Y "))


def test_save_share_and_reload(open_page):
    page = open_page()
    choose(page, "tariffs")
    page.fill("[data-number=tariff_rate]", "25")
    page.keyboard.press("Enter")
    settled(page, "s.knobs && s.knobs.tariff_rate === 25")
    page.fill("#name", "Twenty-five <b>points</b>")
    page.keyboard.press("Enter")
    settled(page, "s.name")
    link, shown = page.url, page.inner_text("#measures")
    assert "#w=" in link and len(link) < 2_000
    other = open_page("#" + link.partition("#")[2])
    assert other.inner_text("#measures") == shown
    assert other.input_value("#name") == "Twenty-five <b>points</b>"
    assert other.input_value("[data-number=tariff_rate]") == "25"
    page.evaluate("() => document.activeElement.blur()")
    for key in "scv":
        page.keyboard.press(key)
    page.wait_for_selector("#compared table", timeout=20_000)
    assert "Twenty-five <b>points</b>" in page.inner_text("#compared thead")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    settled(page, "!s.knobs")
    page.click("[data-do=saved]")
    page.click("#sheet .open")
    settled(page, "s.knobs && s.knobs.tariff_rate === 25")


def test_broken_links_say_so_and_leave_a_working_page(open_page):
    for fragment in ("#w=" + "x" * 9_000, "#w=" + DeskState(trades=("buy rubbish",)).to_link()):
        page = open_page(fragment)
        assert page.locator("#problems.on li").count() >= 1
        assert "no policy" not in page.inner_text("#problems")
        assert cell(page, "Expected P&L", 2) == "0.0"


def test_uploads(open_page, tmp_path):
    page = open_page()
    big = tmp_path / "big.csv"
    big.write_bytes(b"x" * 10_000_000)
    page.click("[data-do=upload]")
    page.set_input_files("#upload-file", str(big))
    page.wait_for_selector("#problems.on")
    assert "too large" in page.inner_text("#problems")
    page.keyboard.press("Escape")
    evil = tmp_path / "evil.csv"
    evil.write_text("position_id,type,desk,book,strategy,notional,currency\n"
                    "<img src=x onerror=window.hit=1>,fx_spot,<script>window.hit=1</script>,b,s,5e6,EUR\n",
                    encoding="utf-8")
    page.click("[data-do=upload]")
    page.set_input_files("#upload-file", str(evil))
    settled(page, "s.portfolio")
    page.wait_for_selector("#grid .ag-row")
    assert page.locator("#grid .ag-center-cols-container .ag-row").count() == 1
    page.click("[data-tab=desks]")
    assert "<script>window.hit=1</script>" in page.inner_text("#desks")
    assert page.evaluate("() => window.hit === undefined")
    bad = tmp_path / "bad.csv"
    bad.write_text("position_id,type\n1,gold\n", encoding="utf-8")
    page.click("[data-do=upload]")
    page.set_input_files("#upload-file", str(bad))
    page.wait_for_selector("#problems.on")
    assert "bad.csv" in page.inner_text("#problems") and "missing column" in page.inner_text("#problems")


def test_the_grid_scales_and_removes(open_page, rooms):
    page = open_page()
    first = page.locator("#grid .ag-row[row-index='0']").first
    first.locator("[col-id=scale]").click()
    page.keyboard.type("0.5")
    page.keyboard.press("Enter")
    settled(page, "s.scale && Object.values(s.scale)[0] === 0.5")
    page.locator("#grid .ag-row[row-index='1'] [col-id=cut]").first.click()
    settled(page, "s.remove && s.remove.length === 1")
    state = DeskState.from_json(page.evaluate("() => window.desk.last.state"))
    found = rooms.session(rooms.full_paths).answer(rooms.request(state))
    assert found["positions"] == {"before": 66, "after": 65}
    assert cell(page, "VaR 99%", 1) == f"{found['after']['var']['0.99']['value'] / 1e6:,.1f}"
    page.locator("#grid input[aria-label*='Desk' i]").first.fill("rates")
    page.wait_for_timeout(900)
    shown = page.locator("#grid .ag-center-cols-container .ag-row [col-id=desk]").all_inner_texts()
    assert shown and set(shown) == {"rates"}


def test_two_pages_do_not_see_each_other(open_page):
    one, two = open_page(), open_page()
    choose(one)
    choose(two, "inflow_slowdown")
    one.fill("[data-number=slowdown]", "80")
    one.keyboard.press("Enter")
    settled(one, "s.knobs && s.knobs.slowdown === 80")
    assert two.evaluate("() => window.desk.state.knobs") == {}
    assert two.inner_text("#scenario-place .facts") and cell(two, "ES 99%", 2) == "0.0"
    two.reload()
    two.wait_for_selector("#measures table")
    assert two.evaluate("() => window.desk.state.scenario") == "inflow_slowdown"  # from its own address


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1366, 768), (2560, 1440)])
def test_both_themes_fit_the_screen(open_page, theme, size, tmp_path):
    page = open_page(color_scheme=theme)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    choose(page)
    assert page.evaluate("() => document.documentElement.dataset.theme") == theme
    wide, high = page.evaluate("() => [document.documentElement.scrollWidth, "
                               "document.documentElement.scrollHeight]")
    assert (wide, high) == size
    cut = page.evaluate("""() => [...document.querySelectorAll(
        '#top button, .tile .v, #measures td, .tab')].filter(
        (n) => n.offsetParent && n.scrollWidth > n.clientWidth + 1).map((n) => n.textContent)""")
    assert not cut, cut
    places = """() => ['panes', 'trades', 'charts', 'grid-frame'].map(
        (i) => JSON.stringify(document.getElementById(i).getBoundingClientRect()))"""
    before = page.evaluate(places)
    page.fill("#trade", "buy 250m UST 10Y")
    page.keyboard.press("Enter")
    settled(page, "d.last.trades.length === 1")
    assert page.evaluate(places) == before  # nothing jumps
    page.screenshot(path=str(tmp_path / f"desk_{size[0]}_{theme}.png"))
