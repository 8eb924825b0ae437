"""The page in a real browser: views, searches that become trades and policies, keys, a desk that was
stopped.
"""

from __future__ import annotations

import io
import json
import threading
import time
import zlib
from base64 import urlsafe_b64encode

import pytest

pytest.importorskip("dash", reason="the extra 'desk' is not installed")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
import polars
from desk_page import cell, choose, settled, until

from riskengine.desk.state import DeskState

VIEW = "mean(FX_JPY) = 1%"


def show(page, tab: str) -> None:
    page.click(f"[data-tab={tab}]")


def test_a_view_is_typed_shared_and_taken_out(open_page, rooms):
    page = open_page()
    plain = cell(page, "ES 99%", 1)
    page.keyboard.press("w")
    page.keyboard.type(VIEW)
    page.keyboard.press("Enter")
    settled(page, "s.views && s.views.length === 1")
    found = rooms.session(rooms.full_paths).answer(rooms.request(DeskState(views=(VIEW,))))
    effective = f"{found['views']['effective_scenarios']:,.0f}"
    assert effective in page.inner_text("#views-out")
    assert f"{effective} effective" in page.inner_text("#status")
    assert page.get_attribute("[data-tab=views-tab]", "data-n") == "1"
    show(page, "measures-tab")
    assert cell(page, "ES 99%", 1) == f"{found['after']['es']['0.99']['value'] / 1e6:,.1f}" != plain
    assert f"{effective} effective" in page.inner_text("#pane-at")
    other = open_page("#" + page.url.partition("#")[2])
    assert cell(other, "ES 99%", 1) == cell(page, "ES 99%", 1)
    assert other.evaluate("() => window.desk.state.views") == [VIEW]
    show(page, "views-tab")
    page.click("[data-drop-view='0']")
    settled(page, "!s.views")
    show(page, "measures-tab")
    assert cell(page, "ES 99%", 1) == plain and "effective" not in page.inner_text("#status")


def test_a_view_that_leaves_too_few_scenarios(open_page, rooms):
    page = open_page()
    shown = page.inner_text("#measures")
    page.keyboard.press("w")
    page.fill("#view", "mean(BOOK) <= -300m")
    page.keyboard.press("Enter")
    page.wait_for_selector(".refusal")
    told = page.inner_text(".refusal")
    assert "Too few scenarios" in told and f"of {rooms.full_paths:,}" in told and "at least 10%" in told
    assert page.input_value("#view") == "mean(BOOK) <= -300m"  # back in its line, to be mended
    assert page.evaluate("() => window.desk.state.views") == []
    assert page.locator("#problems.on").count() == 0 and page.locator("#desk[data-failed]").count() == 0
    page.click("[data-views=blend]")
    settled(page, "s.views && s.views.includes('confidence 50%')")
    assert page.locator(".refusal").count() == 0
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    settled(page, "!s.views")
    show(page, "measures-tab")
    assert page.inner_text("#measures") == shown


def test_a_knob_that_breaks_the_views_says_so_and_dims_the_numbers(open_page):
    state = {"scenario": "china_sells_treasuries", "views": ["mean(BOOK) <= -900m"]}
    page = open_page("#w=" + DeskState.from_json(state).to_link())
    page.fill("[data-number=sell_share]", "0")
    page.keyboard.press("Enter")
    page.wait_for_selector(".refusal", timeout=20_000)
    assert page.locator("#desk[data-failed]").count() == 1
    assert page.inner_text("#paths-label").startswith("Not answered")
    page.click("[data-views=drop]")
    settled(page, "!s.views")
    assert page.locator("#desk[data-failed]").count() == 0 and page.locator(".refusal").count() == 0


def test_a_hedge_becomes_trades_by_one_click_and_undo_takes_them_back(open_page):
    page = open_page()
    choose(page)
    before = cell(page, "ES 97.5%", 1)
    show(page, "hedge-tab")
    page.fill("#hedge-text", "UST 10Y, ES")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-add-trades]", timeout=60_000)
    trades = json.loads(page.get_attribute("[data-add-trades]", "data-add-trades"))
    page.click("[data-add-trades]")
    settled(page, f"d.last.trades.length === {len(trades)}")
    assert page.evaluate("() => window.desk.state.trades") == trades
    assert page.locator("#trades tbody tr").count() == len(trades) + (len(trades) > 1)
    after = cell(page, "ES 97.5%", 1)
    assert float(after.replace(",", "")) < float(before.replace(",", ""))
    show(page, "hedge-tab")
    assert page.locator("#hedge-tab .late.on").count() == 1  # found for the book without them
    show(page, "measures-tab")
    page.keyboard.press("Control+z")
    settled(page, "!s.trades")
    assert cell(page, "ES 97.5%", 1) == before


def test_a_reverse_stress_is_put_on_the_knobs(open_page):
    page = open_page()
    choose(page, "tariffs")
    show(page, "reverse-tab")
    page.fill("#reverse-text", "100m")
    page.click("#reverse-form button")
    page.wait_for_selector("[data-load]", timeout=60_000)
    wanted = json.loads(page.get_attribute("[data-load] >> nth=0", "data-load"))
    page.click("[data-load] >> nth=0")
    settled(page, "!s.scenario")
    state = page.evaluate("() => window.desk.state")
    assert {k: state[k] for k in wanted} == wanted
    moved = page.locator("#knobs .moved").count()
    assert moved >= len(wanted["knobs"]) + len(wanted["sellers"])
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("Control+z")
    settled(page, "s.scenario === 'tariffs'")


def test_the_dial_and_the_chain_move_while_a_knob_is_dragged(open_page):
    page = open_page()
    choose(page)
    dial, tiles, limits = (page.inner_html(f"#{i}") for i in ("dial", "tiles", "limits"))
    slider = page.locator("[data-knob=sell_share]")
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 7, y)
    page.mouse.down()
    for n in range(40):
        page.mouse.move(box["x"] + box["width"] * (0.7 - 0.01 * n), y)
        page.wait_for_timeout(60)
        if page.inner_html("#dial") != dial and page.inner_html("#tiles") != tiles:
            break
    until(page, "d.last.mode === 'fast'")
    assert page.inner_html("#dial") != dial and page.inner_html("#tiles") != tiles
    page.keyboard.press("5")
    assert "before the knob moved" in page.inner_text("#pane-at") and page.inner_html("#limits") == limits
    page.keyboard.press("1")
    assert "preview" in page.inner_text("#pane-at")
    page.mouse.up()
    settled(page)
    assert page.inner_html("#limits") != limits


def test_knobs_by_keyboard(open_page):
    page = open_page()
    page.focus("#scenario")
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => { const a = document.activeElement.dataset; return a.knob "
                                  "|| a.number; }"))
    assert [x for x in seen if x][:2] == ["wht_rate", "wht_rate"] and "fee_rate" in seen
    page.focus("[data-knob=wht_rate]")
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    settled(page, "s.knobs && s.knobs.wht_rate === 7")
    assert page.evaluate("() => window.desk.past.length") == 1  # one step of undo for one burst of keys
    assert page.evaluate("() => document.activeElement.dataset.knob") == "wht_rate"
    page.fill("[data-number=wht_rate]", "12")
    page.keyboard.press("Enter")
    settled(page, "s.knobs && s.knobs.wht_rate === 12")
    page.keyboard.press("Control+z")
    settled(page, "s.knobs && s.knobs.wht_rate === 7")
    page.keyboard.press("Control+y")
    settled(page, "s.knobs && s.knobs.wht_rate === 12")
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("?")
    assert page.is_visible("#keys") and page.evaluate("() => document.getElementById('columns').inert")
    page.keyboard.press("Escape")
    assert not page.is_visible("#keys")
    assert not page.evaluate("() => document.getElementById('columns').inert")


def test_a_parquet_book_on_the_page(open_page, tmp_path):
    page = open_page()
    out = io.BytesIO()
    polars.DataFrame({"position_id": ["A-1"], "type": ["fx_spot"], "desk": ["<i>d"], "book": ["b"],
                      "strategy": ["s"],
                      "notional": [5e6], "currency": ["EUR"], "tag": ["blue"]}).write_parquet(out)
    file = tmp_path / "book.parquet"
    file.write_bytes(out.getvalue())
    page.click("[data-do=upload]")
    page.set_input_files("#upload-file", str(file))
    settled(page, "s.portfolio")
    page.wait_for_selector("#grid .ag-row")
    assert page.locator("#grid .ag-center-cols-container .ag-row").count() == 1
    assert "tag" in page.inner_text("#grid .ag-header") and "book.parquet" in page.inner_text("#book-label")
    page.locator("#grid input[aria-label*='tag' i]").first.fill("red")
    page.wait_for_selector("#grid .ag-overlay >> text=No position passes the filters")
    file.write_bytes(out.getvalue()[:-7])
    page.click("[data-do=upload]")
    page.set_input_files("#upload-file", str(file))
    page.wait_for_selector("#problems.on")
    assert "not a Parquet file" in page.inner_text("#problems")


def test_hostile_addresses(open_page):
    wild = {"scenario": "tariffs", "constructor": 1, "__proto__": {"x": 1}, "views": ["x" * 200],
            "more": {"a": []}}
    packed = urlsafe_b64encode(zlib.compress(json.dumps(wild).encode())).decode().rstrip("=")
    for fragment in ("#w=" + packed, "#w=" + "A" * 300_000):
        page = open_page(fragment)
        page.wait_for_selector("#problems.on")
        assert cell(page, "Expected P&L", 2) == "0.0" and "#w=" not in page.url


def test_nothing_jumps(open_page):
    page = open_page()
    page.evaluate("""() => { window.moved = []; new PerformanceObserver((list) => {
        for (const e of list.getEntries()) for (const s of e.sources)
            window.moved.push([e.value, s.node && (s.node.id || s.node.className)]);
        }).observe({type: "layout-shift"}); }""")
    choose(page)
    page.fill("#trade", "buy 250m UST 10Y")
    page.keyboard.press("Enter")
    settled(page, "d.last.trades.length === 1")
    page.evaluate("() => { document.activeElement.blur(); }")
    page.keyboard.press("w")
    page.keyboard.type(VIEW)
    page.keyboard.press("Enter")
    settled(page, "s.views")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    slider = page.locator("[data-knob=sell_share]").bounding_box()
    page.mouse.move(slider["x"] + slider["width"] - 7, slider["y"] + 8)
    page.mouse.down()
    page.mouse.move(slider["x"] + slider["width"] / 2, slider["y"] + 8, steps=3)
    until(page, "d.last.mode === 'fast'")
    page.mouse.up()
    settled(page, "s.knobs")
    moved = page.evaluate("() => window.moved")
    assert sum(value for value, _ in moved) < 0.002, moved


def test_a_desk_that_was_stopped(browser, rooms):
    from riskengine.desk.app import open_server

    server, where = open_server(rooms, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.goto(where)
    page.wait_for_selector("#measures table")
    server.shutdown()
    server.server_close()
    thread.join(10)
    page.route("**/_answer", lambda route: route.abort())  # its open connections end with it
    page.select_option("#scenario", "tariffs")
    page.wait_for_selector("#problems.on")
    assert "does not answer" in page.inner_text("#problems")
    assert page.inner_text("#paths-label").startswith("Not answered")
    page.unroute("**/_answer")
    port = int(where.rstrip("/").rpartition(":")[2])
    time.sleep(0.2)
    server, _ = open_server(rooms, "127.0.0.1", port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    page.click("#problems .ways button")  # try again
    settled(page, "s.scenario === 'tariffs'")
    assert page.locator("#problems.on").count() == 0 and page.locator("#desk[data-failed]").count() == 0
    context.close()
    server.shutdown()
