"""One desk on few paths for all tests of the page, and the page in a real browser: chromium driven by
playwright.
"""

from __future__ import annotations

import shutil
import threading

import pytest

FAST, FULL = 1_024, 4_096


@pytest.fixture(scope="session")
def rooms():
    pytest.importorskip("dash", reason="the extra 'desk' is not installed")
    from riskengine.workflows.desk import open_rooms

    return open_rooms(paths=FULL, fast_paths=FAST, as_of="2024-09-24")


@pytest.fixture(scope="module")
def address(rooms):
    from riskengine.desk.app import open_server

    server, where = open_server(rooms, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield where
    server.shutdown()
    thread.join(10)


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, address):
    """open_page(fragment, **context) → a page of its own with its first answer; no script error may
    happen.
    """
    contexts, wrong = [], []

    def make(fragment="", ready=True, **options):
        context = browser.new_context(viewport={"width": 1366, "height": 768}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        own = (address, "data:", "blob:")
        page.on("request", lambda r: wrong.append(r.url) if not r.url.startswith(own) else None)
        page.goto(address + fragment)
        if ready:
            page.wait_for_selector("#measures table", timeout=30_000)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not wrong, wrong
