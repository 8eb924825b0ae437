"""Holder groups of the external accounts as cells of the feedback."""

import numpy as np
import pytest

from riskengine.base.axes import ASSET_CLASSES, CURRENCIES, FACTORS
from riskengine.base.errors import InputError
from riskengine.base.sampling import Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.simulation import PathExposures, feedback_from_accounts, path_model, prepare_paths

HORIZON = Horizon(26, 5)


@pytest.fixture(scope="module")
def feedback(world):
    return feedback_from_accounts(world.accounts, world.parameters, world.weekly, HORIZON)


def cell(feedback, group, asset):
    return feedback.cells.index((group, asset))


def test_every_holding_is_in_one_cell(world, feedback):
    for a, name in enumerate(ASSET_CLASSES):
        here = [i for i, (_, asset) in enumerate(feedback.cells) if asset == name]
        assert feedback.holdings[here].sum() == pytest.approx(world.accounts.holdings[:, a].sum(), rel=1e-9)
    assert len(set(feedback.cells)) == len(feedback.cells)


def test_losses_in_home_currency(feedback):
    euro, yen = FACTORS.index("FX_EUR"), FACTORS.index("FX_JPY")
    official, private = (feedback.loading[cell(feedback, f"{sector} Japan", "treasury")]
                         for sector in ("official", "private"))
    assert official[yen] == -1.0 and private[yen] == pytest.approx(-0.5), "half of private debt is hedged"
    rates = [k for k, label in enumerate(FACTORS.labels) if label.startswith("UST_")]
    assert official[rates].sum() == pytest.approx(-6.0), "duration of Treasuries"
    europe = feedback.loading[cell(feedback, "private Europe", "equity")]
    assert europe[FACTORS.index("EQ_SP500")] == 1.0 and -0.8 < europe[euro] < -0.2
    home = feedback.loading[cell(feedback, "private dollar area", "equity")]
    assert not home[: len(CURRENCIES)].any(), "who thinks in dollars loses nothing by the dollar"


def test_thresholds_lie_beyond_the_loss_of_one_step_in_twenty(world, feedback):
    from riskengine.simulation import simulate_noise

    # the threshold is that of Student-t moves; the model's own rows pass it nearly as often
    for noise, tolerance in (("student_t", 5 * np.sqrt(0.05 * 0.95 / 40_000)), ("filtered_historical", 0.02)):
        moves, _ = simulate_noise(world.weekly, Horizon(1, 5), RunSpec(noise=noise), Chunk(0, 40_000))
        at_long_run = moves * (world.weekly.vol_long_run / world.weekly.vol_now)[:, None]
        returns = feedback.loading @ at_long_run
        passed = (returns < -feedback.threshold[:, None] / 1.5).mean(axis=1)
        assert np.all(np.abs(passed - 0.05) < tolerance)


def test_impact_has_the_signs_of_the_method(world, feedback):
    by_label = dict(zip(FACTORS.labels, feedback.impact, strict=True))
    treasury, equity, dollar = (feedback.markets.index(m) for m in ("treasury", "equity", "dollar"))
    assert by_label["UST_10Y"][treasury] > by_label["UST_3M"][treasury] > 0
    assert by_label["EQ_SP500"][equity] == pytest.approx(-2.5 / world.accounts.capitalisation[3])
    assert by_label["FX_EUR"][dollar] > 0 and by_label["FX_HKD"][dollar] == 0
    weights = world.parameters.settings.index_weights
    index = sum(weights.get(c, 0.0) * by_label[f"FX_{c}"][dollar] for c in CURRENCIES)
    assert index == pytest.approx(1.95 / world.accounts.gdp), "the broad dollar moves by Γ"
    assert feedback.lasting[treasury] == pytest.approx(0.30)
    assert np.all(feedback.amount[dollar] <= feedback.holdings) and np.all(feedback.amount[dollar] >= 0)


def test_the_bands_order_the_loop_and_every_end_is_accepted(world, feedback):
    low, high = (feedback_from_accounts(world.accounts, world.parameters, world.weekly, HORIZON, case)
                 for case in ("lo", "hi"))
    assert low.loop_gain < feedback.loop_gain < high.loop_gain < 0.5
    assert high.standing_gain < 1.0, "selling dies out"
    assert np.all(low.threshold > feedback.threshold)
    assert all("assumption" in line for line in feedback.sources) and len(feedback.sources) == 4


def test_the_base_run_sells_into_bad_paths(world, feedback):
    exposures = PathExposures(np.eye(len(FACTORS)), np.zeros((len(FACTORS), len(FACTORS))))
    runs = [prepare_paths(path_model(world.weekly), HORIZON, RunSpec(), None, f, exposures)(Chunk(0, 4080))
            for f in (feedback, None)]
    k = FACTORS.index("EQ_SP500")
    sold = -runs[0].flows.sum(axis=0)
    fell = runs[1].terminal[k] < np.quantile(runs[1].terminal[k], 0.1)
    assert sold[fell].mean() > 2 * sold[~fell].mean() > 0
    assert np.all(runs[0].terminal[k] <= runs[1].terminal[k] + 1e-6), "sales push equities down, never up"
    assert sold.max() < feedback.holdings.sum()


def test_what_does_not_fit_is_refused(world):
    with pytest.raises(InputError) as error:
        feedback_from_accounts(world.accounts, world.parameters, world.weekly, Horizon(5, 1), "worst")
    assert len(error.value.problems) == 2
