"""Fixtures shared by all rooms: one world and one book on the embedded data, built once."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
"""The same examples in every run; HYPOTHESIS_PROFILE=default looks for new ones."""

_EMPTY_STORE = tempfile.TemporaryDirectory(prefix="riskengine-tests-")
os.environ["RISKENGINE_DATA"] = _EMPTY_STORE.name  # tests never see a user's store

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
