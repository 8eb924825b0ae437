"""The far tail of the sample book in full revaluation: against its days written out, plain paths, threads."""

import numpy as np
import pytest

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.far_tail import measure_far_tail, quadratic_of_total
from riskengine.execution import Threads
from riskengine.instruments.portfolio import compile_book
from riskengine.workflows.door import load_portfolio

LEVELS = (0.99, 0.999)
PATHS = 16_384


def test_one_day_equals_the_sum_over_the_days_of_history(world, book):
    """Filtered historical noise of one day: each day revalued once gives VaR and ES without any error."""
    compiled = compile_book(book, world.snapshot, FACTORS, Horizon(1, 1))
    model = world.daily
    moves = model.step_volatilities(1)[0][:, None] * (model.residuals - model.residuals.mean(axis=0)).T
    fixed = moves[[k for k, _ in compiled.fixings]]
    loss = np.sort(-compiled.pnl(moves, fixed).sum(axis=0))[::-1]
    far = measure_far_tail(compiled, world, RunSpec(precision="float64"), LEVELS, PATHS)
    assert far.historical_days == loss.size and far.noise == "filtered_historical"
    for i, level in enumerate(LEVELS):
        beyond = loss.size * (1 - level)
        whole = int(beyond)
        shortfall = (loss[:whole].sum() + (beyond - whole) * loss[whole]) / beyond
        assert abs(far.es[i] - shortfall) < 4 * far.se_es[i] < 0.02 * shortfall
        assert abs(far.var[i] - loss[whole]) <= max(loss[whole - 1] - loss[whole + 1], 4 * far.se_var[i])
        assert far.variance_reduction_es[i] > 20
    assert abs(far.mean_weight - 1) < 4 * far.se_mean_weight


@pytest.mark.parametrize("noise", ["filtered_historical", "student_t"])
def test_ten_days_agree_with_the_night_itself_and_beat_it(world, book, noise):
    compiled = compile_book(book, world.snapshot, FACTORS, Horizon(10, 1))
    spec = RunSpec(noise=noise)
    far = measure_far_tail(compiled, world, spec, LEVELS, PATHS)
    for name in ("var", "es"):
        twisted, plain = (np.array(getattr(far, f"{kind}{name}")) for kind in ("", "plain_"))
        error = np.hypot(getattr(far, f"se_{name}"), getattr(far, f"plain_se_{name}"))
        assert np.all(np.abs(twisted - plain) < 4 * error)
    assert min(far.variance_reduction_es) > 10 and min(far.effective_paths) > 300
    assert far.es[0] > far.var[0] and far.var[1] > far.var[0]
    with Threads(2) as two:
        assert measure_far_tail(compiled, world, spec, LEVELS, PATHS, two) == far


def test_the_quadratic_is_that_of_the_book(world, book):
    """A bond's delta is its sensitivity, options are curved, and pinned factors have no part."""
    compiled = compile_book(book, world.snapshot, FACTORS, Horizon(1, 1))
    spread = np.sqrt(np.diag(world.daily.horizon_covariance(1)))
    delta, gamma = quadratic_of_total(compiled, spread)
    assert np.array_equal(gamma, gamma.T)
    rng = np.random.default_rng(2)
    moves = 1.5 * spread[:, None] * rng.standard_normal((len(FACTORS), 50))
    fixed = moves[[k for k, _ in compiled.fixings]]
    full = compiled.pnl(moves, fixed).sum(axis=0)
    full -= compiled.pnl(0 * moves[:, :1], 0 * fixed[:, :1]).sum(axis=0)
    near = delta @ moves + 0.5 * np.einsum("kn,kl,ln->n", moves, gamma, moves)
    linear = np.abs(full - delta @ moves).mean()
    assert np.abs(full - near).mean() < 0.5 * linear < 0.05 * np.abs(full).mean()
    pinned = spread.copy()
    pinned[0] = 0.0
    delta, gamma = quadratic_of_total(compiled, pinned)
    assert delta[0] == 0.0 and not gamma[0].any()


def test_what_cannot_have_a_far_tail_is_refused(world, book):
    with pytest.raises(InputError, match="horizon"):
        measure_far_tail(compile_book(book, world.snapshot), world, RunSpec(), LEVELS, PATHS)
    compiled = compile_book(book, world.snapshot, FACTORS, Horizon(1, 1))
    with pytest.raises(InputError, match="multiple of the 512"):
        measure_far_tail(compiled, world, RunSpec(), LEVELS, 1000)


HEADER = "position_id,type,quantity,notional,currency,desk,book,strategy,maturity,expiry,strike,put_call,underlying,multiplier\n"
SINGLE = {
    "spot": "fx_spot,,1000000,EUR,d,b,s,,,,,,",
    "far option sold": "fx_option,,-50000000,JPY,d,b,s,,3M,80%F,put,,",
    "option fixed inside the horizon": "fx_option,,50000000,KRW,d,b,s,,1W,ATMF,call,,",
    "short straddle": "equity_option,-100,,USD,d,b,s,,1M,100%F,call,SP500,100\nq,equity_option,-100,,USD,d,b,s,,1M,100%F,put,SP500,100",
}


@pytest.mark.parametrize("name", SINGLE)
def test_odd_books_of_one_position_have_a_far_tail(world, tmp_path, name):
    """Linear, hardly moving, fixed on the way, losing both ways: finite, consistent, weights right."""
    file = tmp_path / "one.csv"
    file.write_text(HEADER + "p," + SINGLE[name] + "\n", encoding="utf-8")
    compiled = compile_book(load_portfolio(file, world.as_of), world.snapshot, FACTORS, Horizon(10, 1))
    far = measure_far_tail(compiled, world, RunSpec(), LEVELS, PATHS)
    assert np.isfinite([*far.var, *far.es, *far.se_var, *far.se_es]).all()
    assert np.all(np.array(far.es) >= far.var) and far.var[1] >= far.var[0]
    assert abs(far.mean_weight - 1) < 5 * far.se_mean_weight
    error = np.hypot(far.se_es, far.plain_se_es)
    assert np.all(np.abs(np.array(far.es) - far.plain_es) <= 5 * error + 1e-6)


def test_a_book_that_nothing_moves_has_none(world, tmp_path):
    """A Treasury bill that pays inside the horizon is cash."""
    file = tmp_path / "bill.csv"
    file.write_text(HEADER + "p,treasury_bill,,1000000,USD,d,b,s,2024-09-27,,,,,\n", encoding="utf-8")
    compiled = compile_book(load_portfolio(file, world.as_of), world.snapshot, FACTORS, Horizon(10, 1))
    assert measure_far_tail(compiled, world, RunSpec(), LEVELS, PATHS) is None
