"""Entropy pooling: closed forms, infeasible and extreme views, rankings, confidence, and what always holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, qmc

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError
from riskengine.measures.entropy_pooling import Row, effective_scenarios, relative_entropy, reweight
from riskengine.measures.view_sentences import build_rows, parse_view

J = 65_536
EUR, JPY, GBP = (FACTORS.index(f"FX_{c}") for c in ("EUR", "JPY", "GBP"))
TEN, SPX = FACTORS.index("UST_10Y"), FACTORS.index("EQ_SP500")


def equal(count=J):
    return np.full(count, 1.0 / count)


@pytest.fixture(scope="module")
def gaussian():
    """Two normals with correlation 0.6, standard deviations 2 and 3."""
    z = norm.ppf(qmc.Sobol(2, seed=3).random(J))
    return np.stack([2.0 * z[:, 0], 3.0 * (0.6 * z[:, 0] + 0.8 * z[:, 1])])


@pytest.fixture(scope="module")
def moves():
    """Moves of all factors in a year, correlated through one common factor; small enough to be quick."""
    rng = np.random.default_rng(5)
    common = rng.standard_normal(8192)
    return 0.05 * (0.6 * common + 0.8 * rng.standard_normal((len(FACTORS), 8192)))


def test_a_mean_view_on_a_normal_gives_the_conditional_distribution(gaussian):
    x, y = gaussian
    p = reweight(equal(), [Row(x, 1.0, "x")]).p
    assert p @ x == pytest.approx(1.0, abs=1e-9)
    assert p @ y == pytest.approx(0.6 * 3 / 2 * 1.0, abs=5e-3), "E[y|view] = Σ_yx Σ_xx⁻¹ m"
    cov = np.cov(gaussian, aweights=p, ddof=0)
    assert cov == pytest.approx(np.array([[4, 3.6], [3.6, 9]]), rel=1e-2), "a mean view leaves the covariance"


def test_relative_entropy_and_multiplier_of_a_normal_are_the_closed_form(gaussian):
    found = reweight(equal(), [Row(gaussian[0], 1.0, "x")])
    assert found.relative_entropy == pytest.approx(0.5 * (1.0 / 2.0) ** 2, rel=1e-2)
    assert found.multipliers[0] == pytest.approx(-1.0 / 4.0, rel=1e-2)
    assert found.effective == pytest.approx(J * np.exp(-found.relative_entropy), rel=1e-9)


def test_a_volatility_view_on_a_normal_gives_the_normal_of_that_volatility(gaussian):
    x, y = gaussian
    p = reweight(equal(), [Row(x, 0.0, "mean"), Row(x**2, 1.5**2, "vol")]).p
    assert p @ x**2 == pytest.approx(2.25, abs=1e-9)
    assert p @ (y - p @ y) ** 2 == pytest.approx(9 * (0.36 * (1.5 / 2) ** 2 + 0.64), rel=1e-2)
    assert p @ x**4 == pytest.approx(3 * 1.5**4, rel=2e-2), "still normal"


def test_an_inequality_that_holds_already_changes_nothing_and_one_that_does_not_binds(gaussian):
    x = gaussian[0]
    slack = reweight(equal(), [Row(x, 1.0, "x", True)])
    assert slack.p == pytest.approx(equal(), rel=1e-12) and slack.relative_entropy == pytest.approx(0.0, abs=1e-12)
    tight = reweight(equal(), [Row(x, -1.0, "x", True)])
    assert tight.p == pytest.approx(reweight(equal(), [Row(x, -1.0, "x")]).p, rel=1e-6)
    assert tight.multipliers[0] > 0


def test_views_beyond_the_paths_and_views_against_each_other_say_so(gaussian):
    x = gaussian[0]
    with pytest.raises(InputError, match="no weights of these paths go that far.*between -"):
        reweight(equal(), [Row(x, 50.0, "far")])
    small = x[:512]
    with pytest.raises(InputError, match="contradict"):
        reweight(equal(512), [Row(small, 1.0, "a"), Row((small > 0).astype(float), 0.01, "b"),
                              Row(small**2, 1.2, "c")], force=True)
    with pytest.raises(InputError, match="two|contradict"):
        reweight(equal(512), [Row(small, 0.5, "a"), Row(small, 0.6, "b")])


def test_a_redundant_view_is_no_problem(gaussian):
    x = gaussian[0]
    once = reweight(equal(), [Row(x, 0.5, "a")]).p
    twice = reweight(equal(), [Row(x, 0.5, "a"), Row(2 * x, 1.0, "b")]).p
    assert twice == pytest.approx(once, rel=1e-6)


def test_too_few_effective_scenarios_are_refused_with_the_number_unless_forced(gaussian):
    view = [Row(gaussian[0], 6.0, "three deviations")]
    with pytest.raises(InputError, match=r"leave [\d,]+ effective scenarios of 65,536, 1\.\d%.*at least 10%"):
        reweight(equal(), view)
    forced = reweight(equal(), view, force=True)
    assert forced.p @ gaussian[0] == pytest.approx(6.0, abs=1e-9)
    assert forced.effective < 0.1 * J


def test_confidence_blends(gaussian):
    view = [Row(gaussian[0], 1.0, "x")]
    whole, half = reweight(equal(), view), reweight(equal(), view, confidence=0.5)
    assert half.p == pytest.approx(0.5 * equal() + 0.5 * whole.p, rel=1e-12)
    assert half.p @ gaussian[0] == pytest.approx(0.5, abs=1e-4)
    assert half.relative_entropy < whole.relative_entropy and half.effective > whole.effective
    with pytest.raises(InputError, match="confidence"):
        reweight(equal(), view, confidence=0.0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-0.8, 0.8), min_size=1, max_size=4), st.integers(0, 10_000), st.booleans())
def test_conditions_hold_weights_sum_to_one_and_entropy_is_not_negative(targets, seed, upper):
    rng = np.random.default_rng(seed)
    count = 2048
    x = rng.standard_normal((len(targets), len(targets))) @ rng.standard_normal((len(targets), count))
    x += rng.standard_normal((len(targets), count))
    p0 = rng.random(count) + 0.1
    p0 /= p0.sum()
    rows = [Row(v, p0 @ v + t * v.std() / len(targets), f"view {i}", upper) for i, (v, t) in enumerate(zip(x, targets))]
    found = reweight(p0, rows, force=True)
    assert found.p.sum() == pytest.approx(1.0, abs=1e-12) and (found.p >= 0).all()
    assert found.relative_entropy >= 0.0
    for row, multiplier in zip(rows, found.multipliers, strict=True):
        miss = (found.p @ row.values - row.target) / row.values.std()
        assert miss <= 1e-9 and (upper or miss >= -1e-9)
        assert not upper or (multiplier >= 0 and multiplier * abs(miss) < 1e-6), "complementary slackness"
    assert relative_entropy(p0, p0) == 0.0 and effective_scenarios(equal(100)) == pytest.approx(100)


def ask(sentences, moves, pnl=None, years=1.0):
    pnl = moves[JPY] * 1e9 if pnl is None else pnl
    rows, confidence, force = build_rows([parse_view(s) for s in sentences], moves, pnl, years)
    return reweight(equal(pnl.size), rows, confidence, force).p


def test_sentences_do_what_they_say(moves):
    p = ask(["mean(fx_jpy) = 2%", "mean(UST_10Y) >= 100bp", "prob(FX_EUR < -1%) = 30%"], moves)
    assert p @ moves[JPY] == pytest.approx(0.02, abs=1e-10)
    assert p @ moves[TEN] >= 0.01 - 1e-10
    assert p @ (moves[EUR] < -0.01) == pytest.approx(0.3, abs=1e-9)
    p = ask(["rank FX_JPY > FX_EUR > FX_GBP", "mean(FX_GBP) = 1%"], moves)
    means = [p @ moves[k] for k in (JPY, EUR, GBP)]
    assert means[0] >= means[1] - 1e-10 and means[1] >= means[2] - 1e-10 and means[2] == pytest.approx(0.01)
    assert ask(["mean(BOOK) <= -10m"], moves) @ (moves[JPY] * 1e9) == pytest.approx(-10e6, rel=1e-6)


def test_a_volatility_is_annualised_unless_it_says_over_the_horizon(moves):
    def sd(p, x):
        return np.sqrt(p @ (x - p @ x) ** 2)

    quarter = ask(["vol(EQ_SP500) = 8%"], moves, years=0.25)
    assert sd(quarter, moves[SPX]) == pytest.approx(0.04, rel=1e-8)
    assert quarter @ moves[SPX] == pytest.approx(moves[SPX].mean(), abs=1e-10), "the mean is kept"
    whole = ask(["vol(EQ_SP500) = 4% over the horizon", "mean(EQ_SP500) = 1%"], moves, years=0.25)
    assert sd(whole, moves[SPX]) == pytest.approx(0.04, rel=1e-8) and whole @ moves[SPX] == pytest.approx(0.01)
    rates = ask(["vol(UST_10Y) = 400bp"], moves)
    assert sd(rates, moves[TEN]) == pytest.approx(0.04, rel=1e-8)


def test_a_correlation_view_keeps_means_and_volatilities(moves):
    p = ask(["corr(FX_EUR, UST_10Y) = -0.2"], moves)
    cov = np.cov(moves[[EUR, TEN]], aweights=p, ddof=0)
    before = np.cov(moves[[EUR, TEN]], ddof=0)
    assert np.diag(cov) == pytest.approx(np.diag(before), rel=1e-8)
    assert cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]) == pytest.approx(-0.2, abs=1e-8)


@pytest.mark.parametrize(("sentence", "words"), [
    ("mean(FX_JPY) = 5%", "mean move of FX_JPY over the horizon (up: the dollar falls) is +5.00%"),
    ("mean(UST_10Y) >= 25 bp", "mean move of UST_10Y over the horizon is at least +25.0 bp"),
    ("vol(EQ_SP500) = 30%", "volatility of EQ_SP500 is 30.00% a year"),
    ("vol(EQ_SP500) = 30% over the horizon", "volatility of EQ_SP500 is 30.00% over the horizon"),
    ("mean(BOOK) ≤ −100m", "mean P&L of the book is at most -100.0 USD mn"),
    ("prob(UST_10Y > 50bp) = 20%", "probability that UST_10Y ends above +50.0 bp is 20%"),
    ("rank FX_JPY > FX_EUR > FX_GBP", "from the largest: FX_JPY, FX_EUR, FX_GBP"),
    ("corr(FX_EUR, UST_10Y) = 0.3", "correlation of FX_EUR and UST_10Y is +0.30"),
    ("confidence 60%", "confidence 60%"),
])
def test_what_was_understood(sentence, words):
    assert words in parse_view(sentence).understood


@pytest.mark.parametrize(("sentence", "complaint"), [
    ("the yen goes up", "not a view .*Accepted: mean"),
    ("mean(FX_JPI) = 5%", "unknown name .*FX_JPI.*FX_JPY"),
    ("mean(UST_10Y) = 5%", "moves of UST_10Y are in bp .*25bp"),
    ("mean(FX_JPY) = 50bp", "moves of FX_JPY are in %"),
    ("mean(FX_JPY) = 0.05", "moves of FX_JPY are in %"),
    ("mean(BOOK) = 5%", "P&L is in USD .*-100m"),
    ("mean(FX_JPY) = viel", "not a number"),
    ("vol(EQ_SP500) = -3%", "a volatility is positive"),
    ("prob(UST_10Y) = 20%", "being above or below"),
    ("prob(UST_10Y > 50bp) = 120%", "between 0 and 100%"),
    ("corr(FX_EUR) = 0.3", "two different names"),
    ("corr(FX_EUR, FX_JPY) = 1.3", "between -1 and 1"),
    ("rank FX_JPY", "at least two"),
    ("rank FX_JPY > UST_10Y", "moves of one unit"),
    ("rank FX_JPY > FX_JPY", "each once"),
    ("confidence 0%", "above 0"),
    ("", "not a view"),
    ("__import__('os').system('ls')", "not a view"),
])
def test_what_was_not_understood(sentence, complaint):
    with pytest.raises(InputError, match=complaint.replace("(", r"\(").replace("&", "&")):
        parse_view(sentence)


def test_two_values_for_one_thing_and_no_view_at_all_are_refused(moves):
    with pytest.raises(InputError, match="two values for the same thing"):
        ask(["mean(FX_JPY) = 1%", "mean(FX_JPY) = 2%"], moves)
    with pytest.raises(InputError, match="no view"):
        ask(["force"], moves)
    with pytest.raises(InputError, match="confidence is said once"):
        ask(["confidence 50%", "confidence 60%", "mean(FX_JPY) = 1%"], moves)
