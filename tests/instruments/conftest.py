"""A market of 24 September 2024 in plain numbers, and the shipped book on it: no estimation, no data room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from riskengine.base.axes import CURRENCIES, FACTORS
from riskengine.data.market_inputs import load_market_inputs
from riskengine.data.portfolios import load_portfolio
from riskengine.market import MarketInput, MarketSnapshot

ROOT = Path(__file__).resolve().parents[2]
AS_OF = "2024-09-24"
PER_USD = (
    1.454969, 5.466, 1.347, 0.8459, 7.0318, 6.6871, 0.896861, 0.747608, 7.7856, 83.66, 143.77,
    1330.0, 19.3435, 4.1548, 10.4416, 1.582028, 10.1284, 1.2856, 32.67, 31.86, 17.3316,
)
"""Noon rates of that day (Federal Reserve H.10), foreign units per USD, in the order of CURRENCIES."""
TENORS = np.array([0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0, 30.0])
ZEROS = np.array([0.0466, 0.0435, 0.0384, 0.0343, 0.0338, 0.0342, 0.0355, 0.0370, 0.0414, 0.0409])


def model_volatilities() -> dict[str, MarketInput]:
    """Forecast inputs as a daily factor model would provide them."""
    rows = {}
    for k, label in enumerate(FACTORS.labels):
        scale = 0.08 if label.startswith("FX_") else 0.16
        for name, value in (("vol_now", scale * (1 + 0.01 * k)), ("vol_long_run", scale * 1.2),
                            ("vol_persistence", 0.97)):
            rows[f"{name}.{label}"] = MarketInput(f"{name}.{label}", value, None, "", AS_OF, "test", False)
    return rows


@pytest.fixture(scope="session")
def snapshot() -> MarketSnapshot:
    inputs = load_market_inputs(ROOT / "configs" / "market_inputs.csv", AS_OF) | model_volatilities()
    spot = {c: 1.0 / x for c, x in zip(CURRENCIES, PER_USD, strict=True)}
    return MarketSnapshot(AS_OF, spot, TENORS, ZEROS, {}, {}, inputs)


@pytest.fixture(scope="session")
def portfolio():
    return load_portfolio(ROOT / "configs" / "portfolios" / "global_macro.csv", AS_OF)[0]


@pytest.fixture(scope="session")
def draw_moves():
    """Function (n, seed, scale = 1, rows = 0) → (K or rows, n) normal moves: 1% for log factors, else 8 bp."""
    size = np.array([8e-4 if f.startswith(("UST_", "CAP_")) else 0.01 for f in FACTORS.labels])

    def draw(n: int, seed: int, scale: float = 1.0, rows: int | None = None) -> np.ndarray:
        rng = np.random.default_rng(seed)
        if rows is not None:
            return scale * 0.02 * rng.normal(size=(rows, n))
        return scale * size[:, None] * rng.normal(size=(len(FACTORS), n))

    return draw
