"""Path-dependent simulation: an independent rebuild, closed forms, feedback, bit identity."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from test_simulation_noise import make_model, philox

from riskengine.base.errors import InputError, ModelError
from riskengine.base.sampling import BLOCK_BOOTSTRAP, BLOCK_MIXING, Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.execution import Serial, Threads
from riskengine.simulation import (
    Feedback, PathExposures, PathModel, chunks, draw_of_path, path_model, prepare_paths, simulate_noise,
    simulate_paths,
)
from riskengine.simulation.variance import aggregate_garch


def make_path_model(factors=7, alpha=0.08, dof=5.0, **changes):
    model = make_model(factors, dof=dof, **changes)
    return model, path_model(model, np.full(factors, alpha))


def make_feedback(factors, cells=3, seed=1, share=2.0):
    """Cells that lose on every factor and markets that push it down; gain well below the limit."""
    rng = np.random.default_rng(seed)
    return Feedback(
        cells=tuple((f"group {c}", "equity") for c in range(cells)),
        loading=rng.uniform(0, 1, (cells, factors)) * (rng.uniform(size=(cells, factors)) < 0.6) / factors,
        memory=rng.uniform(0, 0.8, cells), threshold=rng.uniform(0.0005, 0.003, cells),
        share=np.full(cells, share), holdings=rng.uniform(100, 900, cells), markets=("a", "b"),
        amount=rng.uniform(100, 900, (2, cells)), lasting=np.array([0.3, 1.0]), decay=np.array([0.7, 1.0]),
        impact=-rng.uniform(0, 1, (factors, 2)) * (rng.uniform(size=(factors, 2)) < 0.7) * 1e-4,
    )


def draw_shocks(model, spec, step, path):
    """e (K, n) of one step by NumPy and SciPy only."""
    factors = model.start.size
    if spec.noise == "filtered_historical":
        word = philox(path, BLOCK_BOOTSTRAP, step, spec.seed)[0]
        centred = model.residuals - model.residuals.mean(axis=0)
        return centred[(word * len(centred) // 2**32).astype(int)].T
    z = []
    for block in range(-(-factors // 4)):
        a, b, c, d = philox(path, block, step, spec.seed)
        for radial, angular in ((a, b), (c, d)):
            radius, angle = np.sqrt(-2 * np.log((radial + 0.5) / 2**32)), 2 * np.pi * (angular + 0.5) / 2**32
            z += [radius * np.sin(angle), radius * np.cos(angle)]
    e = model.cholesky @ np.array(z[:factors])
    if spec.noise == "student_t":
        u = (philox(path, BLOCK_MIXING, step, spec.seed)[0] + 0.5) / 2**32
        e = e * np.sqrt((model.dof - 2) / stats.chi2.ppf(u, model.dof))
    return e


def rebuild(model, steps, spec, chunk, ramp, feedback, exposures):
    """terminal (G, n), drawdown (n,), flows (C, n) by the equations, float64; no kernel is called."""
    path = np.arange(chunk.lo, chunk.hi, dtype=np.uint64)
    n, factors = path.size, model.start.size
    draw = draw_of_path(spec, chunk.lo, chunk.hi) if ramp is not None and len(ramp) > 1 else np.zeros(n, int)
    levels = np.zeros((n, steps, factors)) if ramp is None else ramp[draw]
    gamma = exposures.gamma if exposures.gamma.ndim == 3 else np.array([np.diag(g) for g in exposures.gamma])
    h, s = np.repeat(model.start[:, None], n, 1), np.zeros((factors, n))
    peak, drawdown = np.zeros(n), np.zeros(n)
    cells = 0 if feedback is None else len(feedback.cells)
    q, sold = np.zeros((cells, n)), np.zeros((cells, n))
    orders = []
    impact = np.zeros((factors, n))
    for t in range(steps):
        epsilon = np.sqrt(h) * draw_shocks(model, spec, t, path)
        before = levels[:, t - 1] if t else 0.0
        r = (levels[:, t] - before).T + impact + epsilon
        h = model.omega[:, None] + model.alpha[:, None] * epsilon**2 + model.beta[:, None] * h
        s = s + r
        if cells:
            q = feedback.memory[:, None] * q + feedback.loading @ r
            f = feedback.share[:, None] * np.maximum(0, -feedback.threshold[:, None] - q)
            sold += f
            orders.append(feedback.amount @ f)

            def level(now):
                """Σ_u (lasting + (1 − lasting) decay^(now − u)) X_u, the propagator of METHOD 4."""
                kept, fade = feedback.lasting[:, None], feedback.decay[:, None]
                parts = [(kept + (1 - kept) * fade ** (now - u)) * x for u, x in enumerate(orders[: now + 1])]
                return sum(parts, np.zeros((len(feedback.markets), n)))

            impact = feedback.impact @ (level(t) - level(t - 1))
        terminal = exposures.delta @ s + 0.5 * np.einsum("kn,gkl,ln->gn", s, gamma, s)
        total = terminal.sum(axis=0)
        peak = np.maximum(peak, total)
        drawdown = np.maximum(drawdown, peak - total)
    flows = np.zeros((0, n)) if feedback is None else -feedback.holdings[:, None] * sold
    return terminal, drawdown, flows


def make_exposures(factors, groups=3, cross=True, seed=5):
    rng = np.random.default_rng(seed)
    gamma = rng.standard_normal((groups, factors, factors)) * 40
    gamma = gamma + gamma.swapaxes(1, 2)
    return PathExposures(rng.standard_normal((groups, factors)), gamma if cross else gamma.diagonal(0, 1, 2))


@pytest.mark.parametrize("noise", ["student_t", "gaussian", "filtered_historical"])
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 4e-5), ("float64", 1e-9)])
@pytest.mark.parametrize("cross", [True, False])
def test_kernel_equals_an_independent_rebuild(noise, precision, tolerance, cross):
    _, model = make_path_model(7, rows=300)
    spec = RunSpec(paths=2**33, draws=4, noise=noise, precision=precision, seed=2**40 + 3)
    chunk, steps = Chunk(2**32 - 100, 2**32 + 210), 9
    rng = np.random.default_rng(2)
    ramp = np.cumsum(rng.normal(0, 0.002, (4, steps, 7)), axis=1)
    feedback, exposures = make_feedback(7), make_exposures(7, cross=cross)
    got = simulate_paths(model, Horizon(steps, 5), spec, chunk, ramp, feedback, exposures)
    terminal, drawdown, flows = rebuild(model, steps, spec, chunk, ramp, feedback, exposures)
    assert (flows < 0).mean() > 0.2, "the feedback must be at work in this test"
    for mine, other in ((got.terminal, terminal), (got.drawdown, drawdown), (got.flows, flows)):
        assert np.abs(mine - other).max() <= tolerance * np.abs(other).max()


@pytest.mark.parametrize("noise", ["student_t", "gaussian", "filtered_historical"])
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 3e-6), ("float64", 1e-12)])
def test_without_news_and_feedback_it_is_the_plain_accumulation(noise, precision, tolerance):
    model = make_model(48)
    spec, horizon, chunk = RunSpec(noise=noise, precision=precision), Horizon(12, 5), Chunk(100, 1400)
    exposures = PathExposures(np.ones((1, 48)), np.zeros((1, 48)))
    still = path_model(model, np.zeros(48))
    got = simulate_paths(still, horizon, spec, chunk, None, None, exposures, keep_moves=True)
    plain, _ = simulate_noise(model, horizon, spec, chunk)
    assert np.abs(got.moves - plain).max() <= tolerance * np.abs(plain).max()
    assert np.allclose(got.terminal[0], plain.sum(axis=0), rtol=0, atol=40 * tolerance * np.abs(plain).max())
    assert got.flows.shape == (0, 1300)


def two_steps(alpha, paths=131_072):
    model = PathModel(1, np.eye(2), start=np.array([4e-4, 1e-4]), omega=np.array([1e-5, 3e-5]),
                      alpha=np.array(alpha), beta=np.array([0.7, 0.6]))
    spec = RunSpec(paths=paths, noise="gaussian", precision="float64")
    exposures = PathExposures(np.zeros((1, 2)), np.zeros((1, 2)))
    levels = [np.zeros((2, paths))]
    for steps in range(1, 9):
        horizon, chunk = Horizon(steps, 1), Chunk(0, paths)
        out = simulate_paths(model, horizon, spec, chunk, None, None, exposures, keep_moves=True)
        levels.append(out.moves)
    return model, np.diff(levels, axis=0)


def test_variance_of_every_step_and_its_memory_have_their_closed_forms():
    model, r = two_steps([0.2, 0.15])
    n = r.shape[2]
    error = (r**2).std(axis=2) / np.sqrt(n)
    assert np.all(np.abs((r**2).mean(axis=2) - model.expected_variances(8)) < 4.5 * error)
    covariance = ((r[0] ** 2 - model.start[:, None]) * r[1] ** 2).mean(axis=1)
    wanted = 2 * model.alpha * model.start**2  # Cov(ε₁², ε₂²) = α Var(ε₁²) = 2 α h²
    assert np.allclose(covariance, wanted, rtol=0.08)
    rho = model.alpha + model.beta
    third = ((r[0] ** 2 - model.start[:, None]) * r[2] ** 2).mean(axis=1)
    assert np.allclose(third, 2 * rho * model.alpha * model.start**2, rtol=0.15)
    assert np.abs((r[0] * r[1]).mean(axis=1) / np.sqrt((r[0] ** 2 * r[1] ** 2).mean(axis=1) / n)).max() < 4.5
    assert np.allclose(model.long_run, model.omega / (1 - rho))


def test_weekly_garch_of_daily_moves():
    assert aggregate_garch(0.07, 0.9, 3.0, 1) == (0.07, 0.9)
    assert aggregate_garch(0.0, 0.9, 3.0, 5) == (0.0, 0.9**5)
    alpha, beta, rng = 0.05, 0.93, np.random.default_rng(4)
    h, squares, week, moves = np.ones(40_000), [], np.zeros(40_000), 0.02
    for day in range(100):
        epsilon = np.sqrt(h) * rng.standard_normal(h.size)
        h = moves + alpha * epsilon**2 + beta * h
        week += epsilon
        if day % 5 == 4:
            squares.append(week**2)
            week = np.zeros(h.size)
    squares = np.array(squares[8:])
    news, memory = aggregate_garch(alpha, beta, 3.0, 5)
    assert news + memory == pytest.approx(0.98**5)
    centred = squares - squares.mean()
    found = (centred[1:] * centred[:-1]).mean() / (centred**2).mean()
    rho = news + memory
    implied = news * (1 - memory * rho) / (1 - rho**2 + news**2)  # first autocorrelation of a GARCH's squares
    naive = alpha * (1 - (rho - alpha) * rho) / (1 - rho**2 + alpha**2)
    assert found == pytest.approx(implied, abs=0.008)
    assert abs(found - naive) > 0.02, "the daily α would not do"


def test_expected_variance_is_that_of_the_factor_model():
    model, paths = make_path_model(9, alpha=0.05)
    assert np.allclose(paths.expected_variances(20), model.step_volatilities(20) ** 2, rtol=1e-12)
    rows = ({"kind": "factor", "factor": "F2", "alpha": 0.04, "gamma": 0.06, "nu": 7.0},)
    daily = path_model(replace(model, step_days=1, diagnostics=rows))
    assert daily.alpha[2] == pytest.approx(0.07) and np.count_nonzero(daily.alpha) == 1
    weekly = path_model(replace(model, diagnostics=rows))
    assert 0.07 < weekly.alpha[2] < model.persistence[2]


# ---------------------------------------------------------------- ramp
def test_a_path_follows_the_response_of_its_draw():
    model = PathModel(5, np.eye(3), np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3))
    spec = RunSpec(paths=1024, draws=64, noise="gaussian", precision="float64")
    ramp = np.cumsum(np.random.default_rng(1).normal(size=(64, 6, 3)), axis=1)
    exposures = PathExposures(np.eye(3), np.zeros((3, 3)))
    out = simulate_paths(model, Horizon(6, 5), spec, Chunk(300, 900), ramp, None, exposures, keep_moves=True)
    assert np.allclose(out.moves.T, ramp[draw_of_path(spec, 300, 900), -1], rtol=0, atol=1e-14)
    total = ramp.sum(axis=2)[draw_of_path(spec, 300, 900)]
    peak = np.maximum.accumulate(np.maximum(total, 0), axis=1)
    assert np.allclose(out.drawdown, (peak - total).max(axis=1), atol=1e-13)


# ---------------------------------------------------------------- feedback
def one_holder(share=0.2, multiplier=2.5, held=18_000.0, cap=90_000.0, memory=0.0, lasting=1.0, decay=1.0):
    return Feedback(
        (("private", "equity"),), np.ones((1, 1)), np.array([memory]), np.array([0.03]), np.array([share]),
        np.array([held]), ("equity",), np.array([[held]]), np.array([lasting]), np.array([decay]),
        np.array([[-multiplier / cap]]),
    )


STILL = PathModel(5, np.eye(1), np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1))
UNIT = PathExposures(np.ones((1, 1)), np.zeros((1, 1)))


def test_loop_gain_is_share_times_multiplier_times_holdings_over_market():
    assert one_holder().loop_gain == pytest.approx(0.2 * 2.5 * 18 / 90)
    assert one_holder(memory=0.5).standing_gain == pytest.approx(0.1 + 0.5)
    spec = RunSpec(noise="gaussian")
    with pytest.raises(ModelError, match="loop gain"):
        simulate_paths(STILL, Horizon(2, 5), spec, Chunk(0, 16), None, one_holder(share=1.0), UNIT)
    simulate_paths(STILL, Horizon(2, 5), spec, Chunk(0, 16), None, one_holder(share=0.99), UNIT)


def test_one_fall_is_followed_by_the_geometric_series_of_the_loop():
    """A fall of 10% with threshold 3%: sales 0.2·7%, next step −0.1·7%; below the threshold it ends."""
    ramp = np.full((1, 8, 1), -0.10)
    spec = RunSpec(noise="gaussian", precision="float64")

    def level(steps, **changes):
        holder = one_holder(**changes)
        out = simulate_paths(STILL, Horizon(steps, 5), spec, Chunk(0, 16), ramp[:, :steps], holder, UNIT)
        return out.terminal[0, 3], out.flows[0, 3]

    gain, excess = 0.1, 0.07
    assert level(1) == pytest.approx((-0.10, -18_000 * 0.2 * excess))
    assert level(8) == pytest.approx((-0.10 - gain * excess, -18_000 * 0.2 * excess))
    kept, fade = 0.3, 0.5
    for steps in (2, 3, 6):
        wanted = -0.10 - gain * excess * (kept + (1 - kept) * fade ** (steps - 2))
        assert level(steps, lasting=kept, decay=fade)[0] == pytest.approx(wanted, rel=1e-12)
    running, price, memory = -0.10, -0.10, 0.9
    for _ in range(7):
        step = -gain * max(0.0, -0.03 - running)
        price, running = price + step, memory * running + step
    assert level(8, memory=memory)[0] == pytest.approx(price, rel=1e-12)


def test_the_base_run_carries_the_same_feedback():
    model = PathModel(5, np.eye(1), np.full(1, 9e-4), np.full(1, 9e-5), np.full(1, 0.1), np.full(1, 0.8))
    spec = RunSpec(noise="gaussian", precision="float64")
    flat = np.zeros((1, 20, 1))
    base = simulate_paths(model, Horizon(20, 5), spec, Chunk(0, 2048), None, one_holder(), UNIT)
    same = simulate_paths(model, Horizon(20, 5), spec, Chunk(0, 2048), flat, one_holder(), UNIT)
    alone = simulate_paths(model, Horizon(20, 5), spec, Chunk(0, 2048), None, None, UNIT)
    assert (base.flows < 0).any() and np.array_equal(base.terminal, same.terminal)
    touched = base.flows[0] < 0
    assert np.array_equal(base.terminal[0, ~touched], alone.terminal[0, ~touched])
    assert np.all(base.terminal[0, touched] <= alone.terminal[0, touched])


def test_nobody_who_sells_nothing_changes_a_bit():
    _, model = make_path_model(7)
    spec, exposures = RunSpec(), make_exposures(7)
    idle = make_feedback(7, share=0.0)
    off = simulate_paths(model, Horizon(6, 5), spec, Chunk(0, 999), None, idle, exposures)
    none = simulate_paths(model, Horizon(6, 5), spec, Chunk(0, 999), None, None, exposures)
    assert np.array_equal(off.terminal, none.terminal) and np.array_equal(off.drawdown, none.drawdown)
    assert not off.flows.any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.05, 3.0), st.floats(0.0, 1.0),
       st.sampled_from(["student_t", "gaussian"]))
def test_more_selling_never_helps_a_long_book(seed, share, less, noise):
    _, model = make_path_model(5, seed=seed % 1000)
    spec = RunSpec(seed=seed, noise=noise, precision="float64")
    exposures = PathExposures(np.eye(5), np.zeros((5, 5)))
    # lasting impact only: what fades gives prices back, and who sold more early may then sell less
    holders = [replace(make_feedback(5, seed=seed % 77, share=x), lasting=np.ones(2)) for x in (share * less, share)]
    runs = [simulate_paths(model, Horizon(7, 5), spec, Chunk(0, 240), None, h, exposures) for h in holders]
    little, much = runs
    assert np.all(much.terminal <= little.terminal + 1e-12)
    assert np.all(much.flows <= little.flows + 1e-9) and np.all(much.flows <= 0)
    for run in runs:
        total = run.terminal.sum(axis=0)
        assert np.all(run.drawdown >= np.maximum(0.0, -total) - 1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 8), st.integers(1, 260))
def test_pnl_is_linear_in_the_book_and_drawdown_in_its_size(seed, groups, width):
    _, model = make_path_model(6)
    spec, chunk = RunSpec(seed=seed, precision="float64"), Chunk(seed % 1000, seed % 1000 + width)
    book = make_exposures(6, groups, seed=seed)
    twice = PathExposures(2 * book.delta, 2 * book.gamma)
    merged = PathExposures(book.delta.sum(axis=0)[None], book.gamma.sum(axis=0)[None])
    out, double, one = (simulate_paths(model, Horizon(4, 5), spec, chunk, None, make_feedback(6), e)
                        for e in (book, twice, merged))
    assert np.array_equal(double.terminal, 2 * out.terminal)
    assert np.array_equal(double.drawdown, 2 * out.drawdown)
    assert np.array_equal(double.flows, out.flows)
    scale = np.abs(out.terminal).sum(axis=0) + 1e-9
    assert np.all(np.abs(one.terminal[0] - out.terminal.sum(axis=0)) <= 1e-12 * scale * groups + 1e-10)


# ---------------------------------------------------------------- the promise of DESIGN 4
@pytest.mark.parametrize("noise", ["student_t", "filtered_historical"])
def test_bits_do_not_depend_on_chunks_or_threads(noise):
    _, model = make_path_model(13)
    spec = RunSpec(paths=4096, noise=noise, draws=8)
    ramp = np.cumsum(np.random.default_rng(1).normal(0, 0.003, (8, 6, 13)), axis=1)
    run = prepare_paths(model, Horizon(6, 5), spec, ramp, make_feedback(13), make_exposures(13), True)

    def digest(size, executor):
        parts = executor.map(run, chunks(spec, size))
        out = hashlib.sha256()
        for name in ("terminal", "drawdown", "flows", "moves"):
            out.update(np.concatenate([getattr(p, name) for p in parts], axis=-1).tobytes())
        return out.hexdigest()

    with Threads(1) as one, Threads(2) as two:
        digests = {digest(size, e) for size in (333, 1024, 4096) for e in (Serial(), one, two)}
    assert len(digests) == 1


def test_float32_and_float64_agree_far_inside_the_sampling_error():
    _, model = make_path_model(40)
    exposures = make_exposures(40, cross=False)
    single, double = (
        simulate_paths(model, Horizon(60, 5), RunSpec(precision=p), Chunk(0, 8160), None, make_feedback(40),
                       exposures)
        for p in ("float32", "float64")
    )
    a, b = (np.sort(x.terminal.sum(axis=0))[:82].mean() for x in (single, double))
    assert a != b and abs(a / b - 1) < 5e-6


def test_what_does_not_fit_is_refused():
    _, model = make_path_model(4)
    spec, chunk = RunSpec(), Chunk(0, 16)
    exposures = make_exposures(4)
    with pytest.raises(InputError, match="5 days") as error:
        simulate_paths(model, Horizon(3, 1), spec, chunk, np.zeros((3, 3, 4)), None, make_exposures(5))
    assert len(error.value.problems) == 3
    with pytest.raises(InputError, match="alpha \\+ beta"):
        PathModel(5, np.eye(1), np.ones(1), np.ones(1), np.full(1, 0.5), np.full(1, 0.5))
    with pytest.raises(InputError, match="same factors"):
        simulate_paths(model, Horizon(3, 5), spec, chunk, None, make_feedback(5), exposures)
    with pytest.raises(InputError, match="lo < hi"):
        simulate_paths(model, Horizon(3, 5), spec, Chunk(4, 4), None, None, exposures)
    with pytest.raises(InputError, match="residuals"):
        simulate_paths(replace(model, residuals=None), Horizon(3, 5), RunSpec(noise="filtered_historical"),
                       chunk, None, None, exposures)
    with pytest.raises(InputError, match="threshold must be positive"):
        replace(one_holder(), threshold=np.zeros(1))
    with pytest.raises(InputError, match="impact must be finite"):
        replace(one_holder(), impact=np.full((1, 1), np.nan))
    with pytest.raises(InputError, match="symmetric"):
        PathExposures(np.zeros((1, 2)), np.array([[[0.0, 1.0], [2.0, 0.0]]]))
    with pytest.raises(InputError, match="news"):
        path_model(make_model(4), np.full(4, 0.999))
