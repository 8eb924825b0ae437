"""Published and generated price vectors: Haug's option tables, Treasury-style bonds, Garman–Kohlhagen grids.

Vectors from the QuantLib test suite (europeanoption.cpp, after Haug 1998) and QuantLib 1.44.
"""

from __future__ import annotations

import csv
import dataclasses
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from riskengine.base.axes import FACTORS
from riskengine.instruments.exposures import sensitivities
from riskengine.instruments.options import black_scholes
from riskengine.instruments.portfolio import Portfolio, compile_book, parse_position
from riskengine.market import MarketInput, MarketSnapshot

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "quantlib_prices" / "expected"
pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="price vectors are not on this machine")

EVALUATION = date(2026, 11, 20)
LABELS = {"desk": "d", "book": "b", "strategy": "s"}


def rows(name):
    path = VECTORS / name
    return list(csv.DictReader(path.open(encoding="utf-8"))) if path.is_file() else []


def flat_market(as_of, rate, **inputs):
    made = {k: MarketInput(k, v, None, "", as_of, "test", False) for k, v in inputs.items()}
    spot = made.pop("spot").value if "spot" in made else 1.0
    return MarketSnapshot(as_of, {"EUR": spot}, np.array([0.0, 50.0]), np.array([rate, rate]), {}, {}, made)


@pytest.fixture(scope="module")
def curve():
    nodes = rows("curve.csv")
    tenors = [(date.fromisoformat(r["date"]) - EVALUATION).days / 365 for r in nodes]
    return MarketSnapshot(EVALUATION.isoformat(), {}, np.array(tenors),
                          np.array([float(r["zero_cont_act365"]) for r in nodes]), {}, {}, {})


def bond_book(row, curve):
    cells = {"position_id": "x", **LABELS, "type": "treasury_bond", "quantity": "100", "maturity": row["maturity"],
             "coupon": row["coupon"]}
    return compile_book(Portfolio(curve.as_of, (parse_position(cells, curve.as_of),)), curve)


@pytest.mark.parametrize("row", rows("treasury_bonds.csv"), ids=lambda r: r["maturity"])
class TestTreasuryBonds:
    def test_value(self, row, curve):
        assert bond_book(row, curve).base_value[0] == pytest.approx(float(row["npv_at_valuation"]), abs=1e-9)

    def test_full_revaluation(self, row, curve):
        book = bond_book(row, curve)
        shifts = (-200, -100, 100, 200, 300)
        moves = np.zeros((len(FACTORS), len(shifts)))
        moves[[k for k, f in enumerate(FACTORS.labels) if f.startswith("UST_")]] = np.array(shifts) / 1e4
        wanted = [float(row[f"fullreval_pnl_{s}bp"]) for s in shifts]
        assert book.pnl(moves)[0] == pytest.approx(wanted, abs=1e-8)

    def test_key_rates(self, row, curve):
        """Zero nodes bumped ±1 bp in the snapshot, flat before the first key rate; the engine's ladder."""
        ladder = [k for k in row if k.startswith("krd01_")]
        for node, name in enumerate(ladder, start=1):
            bump = 1e-4 * ((np.arange(11) == node) | ((np.arange(11) == 0) & (node == 1)))
            up, down = (
                bond_book(row, dataclasses.replace(curve, zero_rates=curve.zero_rates + b)).base_value[0]
                for b in (bump, -bump)
            )
            assert (down - up) / 2 == pytest.approx(float(row[name]), abs=2e-9), name
        own = -1e-4 * sensitivities(bond_book(row, curve)).sum()
        assert own == pytest.approx(float(row["sum_krd01"]), rel=1e-6)


@pytest.mark.parametrize("row", rows("european_options_haug.csv"), ids=lambda r: f"{r['type']}-{r['strike']}-{r['t']}")
def test_haug(row):
    sign = 1.0 if row["type"].lower() == "call" else -1.0
    s, k, q, r, t, vol = (float(row[c]) for c in ("spot", "strike", "div_or_foreign_rate", "rate", "t", "vol"))
    got = black_scholes(sign, s * math.exp(-q * t), k * math.exp(-r * t), vol * math.sqrt(t))
    assert got == pytest.approx(float(row["value"]), abs=float(row["tol"]))


def gk_days(t):
    return round(t * 365)


def gk_book(row, spot=None, rate=None):
    as_of = "2024-09-24"
    expiry = date.fromisoformat(as_of) + timedelta(days=gk_days(float(row["t"])))
    market = flat_market(as_of, float(row["r_dom"]) if rate is None else rate,
                         **{"spot": float(row["spot"]) if spot is None else spot,
                            "short_rate.EUR": float(row["r_for"]), "implied_vol.EUR": float(row["vol"])})
    cells = {"position_id": "x", **LABELS, "type": "fx_option", "currency": "EUR", "notional": "1",
             "expiry": expiry.isoformat(), "strike": row["strike"], "put_call": row["type"]}
    return compile_book(Portfolio(as_of, (parse_position(cells, as_of),)), market)


@pytest.mark.parametrize("row", [r for r in rows("fx_options_gk.csv")
                                 if abs(gk_days(float(r["t"])) / 365 - float(r["t"])) < 1e-9],
                         ids=lambda r: f"{r['pair']}-{r['type']}-{r['strike']}-{r['t']}")
def test_garman_kohlhagen(row):
    book = gk_book(row)
    spot, vol = float(row["spot"]), float(row["vol"])
    size = 1e-10 * spot
    assert book.base_value[0] == pytest.approx(float(row["npv"]), abs=size)
    s = sensitivities(book)[0]
    assert s[FACTORS.index("FX_EUR")] == pytest.approx(float(row["delta"]) * spot, abs=1e-6 * spot)
    assert s[FACTORS.index("VOL_FX")] == pytest.approx(float(row["vega"]) * vol, abs=1e-6 * spot)
    rho = s[[k for k, f in enumerate(FACTORS.labels) if f.startswith("UST_")]].sum()
    assert rho == pytest.approx(float(row["rho_dom"]), abs=1e-6 * spot)


def test_the_vectors_are_all_there():
    assert len(rows("treasury_bonds.csv")) == 7
    assert len(rows("european_options_haug.csv")) == 43
    assert sum(abs(gk_days(float(r["t"])) / 365 - float(r["t"])) < 1e-9 for r in rows("fx_options_gk.csv")) >= 60
