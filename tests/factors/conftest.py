"""One estimation of the default models for all tests of the laboratory: that of the night's world, which is the
same artefact (same data, inputs and code), so that a run of all tests estimates it once."""

from __future__ import annotations

from pathlib import Path

import pytest

AS_OF = "2024-09-24"


@pytest.fixture(scope="session")
def market_inputs():
    from riskengine.data.market_inputs import load_market_inputs

    return load_market_inputs(Path(__file__).resolve().parents[2] / "configs" / "market_inputs.csv")


@pytest.fixture(scope="session")
def panels():
    from factors.history import read_panels

    return read_panels(AS_OF)


@pytest.fixture(scope="session")
def models(market_inputs):
    from factors import estimate_models

    return estimate_models(AS_OF, market_inputs)
