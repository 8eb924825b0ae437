"""Views: reweighted paths give reweighted measures; equal weights change nothing; errors of weighted tails."""

from __future__ import annotations

import numpy as np
import pytest

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, ModelError
from riskengine.base.sampling import RunSpec
from riskengine.data.configs.scenario_edits import edit_scenario
from riskengine.measures.tail_change import estimate_tail
from riskengine.resident.request import WhatIfRequest
from riskengine.resident.session import Session
from riskengine.resident.views import Weights, weighted_tail

SPEC = RunSpec(paths=2048, draws=64)
YEN = FACTORS.index("FX_JPY")


def tilt(sentences, moves, _pnl, _horizon):
    """Exponential tilt of the yen: the solution of entropy pooling for a mean, at a given multiplier."""
    strength = float(sentences[0])
    x = moves[YEN] / moves[YEN].std()
    w = np.exp(strength * x)
    w /= w.mean()
    return Weights(w, float(w.sum() ** 2 / (w**2).sum()), (f"yen tilted by {strength:g}",))


@pytest.fixture(scope="module")
def session(world, book):
    return Session(world, book, SPEC, load_scenario=edit_scenario, reweigh=tilt)


def numbers(part):
    return {k: {x: v["value"] for x, v in part[k].items()} for k in ("var", "es")} | {
        "mean": part["expected_pnl"]["value"]}


@pytest.mark.parametrize("scenario", ["china_sells_treasuries", None])
def test_equal_weights_change_nothing(session, scenario):
    plain = session.answer(WhatIfRequest(scenario, trades=("buy 250m UST 10Y", "short 100 ES")))
    viewed = session.answer(WhatIfRequest(scenario, trades=("buy 250m UST 10Y", "short 100 ES"), views=("0",)))
    a, b = numbers(plain["after"]), numbers(viewed["after"])
    assert b["mean"] == pytest.approx(a["mean"], rel=1e-9)
    for kind in ("var", "es"):
        assert b[kind] == pytest.approx(a[kind], rel=1e-9)
        assert {x: v["se"] for x, v in viewed["after"][kind].items()} == pytest.approx(
            {x: v["se"] for x, v in plain["after"][kind].items()}, rel=0.05)
    assert viewed["views"]["effective_scenarios"] == pytest.approx(SPEC.paths)
    for x, y in zip(plain["trades"], viewed["trades"], strict=True):
        assert numbers(y["incremental"])["es"] == pytest.approx(numbers(x["incremental"])["es"], rel=1e-6, abs=1.0)


def test_a_view_on_the_yen_moves_a_book_that_is_long_the_yen(session):
    ask = {"trades": ("sell 1bn USDJPY 6M fwd",), "horizon": "10d"}
    up, down = (session.answer(WhatIfRequest(views=(v,), **ask)) for v in ("0.5", "-0.5"))
    plain = session.answer(WhatIfRequest(**ask))["after"]["expected_pnl"]["value"]
    assert up["after"]["expected_pnl"]["value"] > plain > down["after"]["expected_pnl"]["value"]
    assert up["trades"][0]["incremental"]["expected_pnl"]["value"] > 5e6
    assert up["before"] == down["before"], "before is without the view"
    assert up["views"]["understood"] == ["yen tilted by 0.5"] and up["views"]["effective_scenarios"] < SPEC.paths
    assert sum(up["pnl_histogram"]["after"]) == pytest.approx(SPEC.paths)


def test_under_a_policy_the_channels_still_sum(session):
    after = session.answer(WhatIfRequest("china_sells_treasuries", views=("0.3",)))["after"]
    assert after["channels"]["view"]["value"] != 0.0
    assert sum(x["value"] for x in after["channels"].values()) == pytest.approx(after["expected_pnl"]["value"])


def test_a_weighted_tail_is_the_tail_of_the_tilted_law():
    """Standard normal tilted by e^{θx} is normal with mean θ: VaR and ES by closed form, errors of their size."""
    rng = np.random.default_rng(3)
    draw = np.tile(np.arange(256, dtype=np.int32), 400)
    counts = np.bincount(draw)
    x = rng.standard_normal(draw.size)
    w = np.exp(-0.5 * x)
    w /= w.mean()
    found = weighted_tail(x, w, draw, counts, (0.95,))
    for got, want in ((found.mean, -0.5), (found.var[0], 0.5 + 1.644854), (found.es[0], 0.5 + 2.062713)):
        assert abs(got.value - want) < 4 * got.se and 0 < got.se < 0.03
    ones = weighted_tail(x, np.ones_like(x), draw, counts, (0.95, 0.99))
    plain = estimate_tail(x, draw, counts, (0.95, 0.99))
    assert [e.value for e in ones.es] == pytest.approx([e.value for e in plain.es], rel=1e-12)
    assert [e.se for e in ones.es] == pytest.approx([e.se for e in plain.es], rel=1e-6)


def test_what_is_no_weight_is_refused(world, book):
    for bad in (np.array([-1.0, 3.0]), np.array([np.nan, 1.0]), np.array([2.0, 2.0])):
        with pytest.raises(ModelError):
            Weights(bad, 1.0, ())
    with pytest.raises(InputError, match="views"):
        Session(world, book, SPEC, load_scenario=edit_scenario).answer(WhatIfRequest(views=("mean(FX_JPY) = 5%",)))
