"""The Python door: the same validation as the command line, plain objects back."""

from __future__ import annotations

from pathlib import Path

from riskengine.data import portfolios
from riskengine.instruments.portfolio import Portfolio


def load_portfolio(path: Path | str, as_of: str) -> Portfolio:
    """Read a portfolio file (CSV or Parquet) as it stands on *as_of*; InputError lists every bad row."""
    portfolio, _ = portfolios.load_portfolio(Path(path), as_of)
    return portfolio
