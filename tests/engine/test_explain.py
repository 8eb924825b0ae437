"""The tail taken apart must add up, and must point where the book's risk is."""

from __future__ import annotations

import pytest

from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.explain import explain_tail
from riskengine.engine.paths import simulate

SPEC = RunSpec(paths=4096, draws=64)


def test_positions_and_factors_add_up_to_the_expected_shortfall(world, book):
    pnl = simulate((), book, world, Horizon(10, 1), SPEC)
    why = explain_tail(pnl, book, world, SPEC)
    assert why.es > 0
    assert sum(why.by_position.values()) == pytest.approx(why.es, rel=1e-5)
    assert sum(why.by_factor.values()) == pytest.approx(why.es, rel=1e-12)
    assert abs(why.by_factor["remainder"]) < 0.25 * why.es
    worst = max(why.by_factor, key=why.by_factor.get)
    assert worst in ("EQ_SP500", "EQ_NASDAQ", "EQ_EXPORTERS", "CAP_INDUSTRIAL", "CAP_MULTIFAMILY")
    assert why.moves["EQ_SP500"][1] < -0.5


def test_same_bits_on_a_dask_cluster(world, book):
    pytest.importorskip("distributed", reason="dask is not installed (extra 'cluster')")
    from riskengine.data.configs import load_scenario
    from riskengine.engine.paths import prepare
    from riskengine.execution import Dask, Serial

    items = [prepare(load_scenario("exodus_10pct"), world, SPEC)]
    horizon = items[0].scenario.horizon
    alone = simulate(items, book, world, horizon, SPEC, Serial())
    with Dask(workers=2) as cluster:
        spread = simulate(items, book, world, horizon, SPEC, cluster)
    for name in ("total", "groups", "gains", "draw"):
        assert getattr(alone, name).tobytes() == getattr(spread, name).tobytes(), name
