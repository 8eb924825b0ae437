"""Sensitivities: against analytic derivatives, adding up over desks, and what delta-gamma misses."""

from __future__ import annotations

import numpy as np
import pytest

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError
from riskengine.base.units import Horizon
from riskengine.instruments.exposures import delta_gamma, delta_gamma_error, exposures, report_units, sensitivities
from riskengine.instruments.portfolio import Portfolio, compile_book, parse_position


@pytest.fixture(scope="module")
def book(portfolio, snapshot):
    return compile_book(portfolio, snapshot)


def test_linear_positions_have_the_delta_of_their_size(portfolio, snapshot, book):
    s = sensitivities(book)
    for i, position in enumerate(portfolio.positions):
        if position.type == "fx_spot":
            column = FACTORS.index(f"FX_{position.instrument.currency}")
            assert s[i, column] == pytest.approx(book.base_value[i], rel=1e-7)
            assert np.abs(np.delete(s[i], column)).max() < 1.0
        if position.type == "property":
            column = FACTORS.index(f"CAP_{position.instrument.property_type}")
            cap = position.instrument.cap_rate or snapshot.inputs["cap_rate.INDUSTRIAL"].value
            assert s[i, column] == pytest.approx(-book.notional[i] / cap, rel=1e-4)


def test_a_zero_coupon_on_a_key_rate_has_the_closed_form_dv01(snapshot):
    row = {"position_id": "z", "type": "treasury_bond", "quantity": "1e6", "maturity": "2034-09-22", "coupon": "0",
           "desk": "d", "book": "b", "strategy": "s"}
    bond = Portfolio(snapshot.as_of, (parse_position(row, snapshot.as_of),))
    zero = compile_book(bond, snapshot)
    t = 10.0  # 3,650 days
    s = sensitivities(zero)[0]
    assert zero.base_value[0] == pytest.approx(1e6 * np.exp(-0.0370 * t), rel=1e-12)
    assert s[FACTORS.index("UST_10Y")] == pytest.approx(-t * zero.base_value[0], rel=1e-6)
    assert np.abs(s).sum() == pytest.approx(abs(s[FACTORS.index("UST_10Y")]), rel=1e-9)


def test_key_rates_add_up_to_the_parallel_move(book):
    ladder = sensitivities(book)[:, [FACTORS.index(f) for f in FACTORS.labels if f.startswith("UST_")]]
    moves = np.zeros((len(FACTORS), 2))
    moves[[FACTORS.index(f) for f in FACTORS.labels if f.startswith("UST_")]] = [1e-4, -1e-4]
    parallel = (book.pnl_by_position(moves) @ [1.0, -1.0]) / 2e-4
    assert ladder.sum(axis=1) == pytest.approx(parallel, rel=1e-5, abs=1.0)


def test_the_tables_add_up_over_desks(portfolio, snapshot, book):
    e = exposures(portfolio, book, snapshot)
    for total, column in ((e.key_rate_dv01, "rates_dv01"), (e.fx_delta, "fx_delta"), (e.equity_delta, "equity_delta"),
                          (e.vega, "vega"), (e.property_value, "property_value")):
        assert sum(total.values()) == pytest.approx(sum(d[column] for d in e.by_desk.values()), rel=1e-9)
    assert sum(e.key_rate_dv01.values()) < 0  # long bonds lose when yields rise
    assert e.fx_delta["EUR"] > 0 > e.fx_delta["HKD"]
    assert "DKK" not in e.fx_delta
    assert e.cap_rate_dv01["OFFICE"] < 0
    assert e.property_value["MIAMI"] == pytest.approx(140e6)


def test_delta_gamma_is_close_for_small_moves_and_its_error_grows_with_the_cube(book, draw_moves):
    small, large = (delta_gamma_error(book, draw_moves(400, 9, scale)) for scale in (0.1, 0.4))
    assert small["rms"] < 1e-4 * small["rms_of_pnl"]
    assert 20 < large["rms"] / small["rms"] < 200  # 4³ = 64
    assert large["largest"] >= large["rms"] >= abs(large["mean"])
    assert large["worst_full"] < 0 > large["worst_quadratic"]


def test_gamma_is_symmetric_and_bonds_are_convex(portfolio, snapshot, book):
    gamma = delta_gamma(book).gamma
    assert np.array_equal(gamma, gamma.transpose(0, 2, 1))
    k = FACTORS.index("UST_20Y")
    groups = {book.group_of[i] for i, p in enumerate(portfolio.positions) if p.position_id in ("UST-D1", "UST-D2")}
    assert all(gamma[g, k, k] > 0 for g in groups)


def test_units_and_the_aged_book(book, portfolio, snapshot):
    units = dict(zip(FACTORS.labels, report_units(book), strict=True))
    assert (units["FX_EUR"], units["UST_10Y"], units["CAP_OFFICE"], units["VOL_FX"]) == (0.01, 1e-4, 1e-4, 0.01)
    with pytest.raises(InputError, match="horizon"):
        sensitivities(compile_book(portfolio, snapshot, horizon=Horizon(1, 1)))
    with pytest.raises(InputError, match="belong"):
        exposures(Portfolio(snapshot.as_of, portfolio.positions[:3]), book, snapshot)
