"""Fixtures shared by all rooms: one world and one book on the embedded data, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

AS_OF = "2024-09-24"
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def world():
    from riskengine.workflows.build_world import build_world

    return build_world(AS_OF)


@pytest.fixture(scope="session")
def book():
    from riskengine.workflows.door import load_portfolio

    return load_portfolio(ROOT / "configs" / "portfolios" / "global_macro.csv", AS_OF)
