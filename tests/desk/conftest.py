"""One desk on few paths for all tests of the page."""

from __future__ import annotations

import pytest

FAST, FULL = 1_024, 4_096


@pytest.fixture(scope="session")
def rooms():
    pytest.importorskip("dash", reason="the extra 'desk' is not installed")
    from riskengine.workflows.desk import open_rooms

    return open_rooms(paths=FULL, fast_paths=FAST, as_of="2024-09-24")
