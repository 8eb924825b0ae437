"""How the tests read and wait for the page."""

from __future__ import annotations

import re
import time

SCENARIO = "china_sells_treasuries"


def until(page, condition, seconds=30.0):
    """Poll a condition on ``window.desk`` (the page forbids eval, so playwright's own waiting cannot run)."""
    end = time.monotonic() + seconds
    asked = f"const d = window.desk, s = (d.last || {{}}).state || {{}}; return Boolean({condition});"
    while not page.evaluate(f"() => {{ {asked} }}"):
        assert time.monotonic() < end, condition
        time.sleep(0.03)


def settled(page, condition="true"):
    until(page, f"!d.flying && d.last && d.last.mode === 'full' && ({condition})")


def cell(page, row, column):
    """A number of the panel 'Total' as printed; column: before 0, after 1, change 2, ± 3."""
    line = page.locator("#measures tr", has=page.locator("th", has_text=re.compile(f"^{re.escape(row)}$")))
    return line.locator("td:visible").nth(column).inner_text().replace("\u2212", "-")


def choose(page, scenario=SCENARIO):
    page.select_option("#scenario", scenario)
    settled(page, f"s.scenario === '{scenario}'")
