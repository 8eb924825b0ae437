"""The frame of the pages: written once, filled by every page, escaped, strict about what is missing."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from riskengine.reports.page import TEMPLATES, render_page

PAGES = {"court.html", "estimation.html", "claims_page.html", "nightly.html"}


def test_head_and_scripts_stand_once():
    sources = {f.name: f.read_text(encoding="utf-8") for f in TEMPLATES.glob("*.html")}
    assert {n for n, s in sources.items() if "extends 'page.html'" in s} == PAGES
    for once in ("<!DOCTYPE", "<head>", "<script>", "'report.css'", "'report.js'", 'class="contents"'):
        assert [n for n, s in sources.items() if once in s] == ["page.html"], once


def test_a_page_fills_the_frame():
    page = render_page("page.html", contents=[("first", "First <part>"), ("second", "Second")])
    assert '<a class="skip" href="#first">Skip to the first &lt;part&gt;</a>' in page
    assert page.count("<li>") == 2 and '<a href="#second">Second</a>' in page
    assert page.count("<!DOCTYPE html>") == page.count("</html>") == 1


def test_a_value_that_is_missing_is_an_error_not_a_hole():
    with pytest.raises(UndefinedError, match="contents"):
        render_page("page.html")
