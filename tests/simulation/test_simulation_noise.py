"""Joint noise: an independent rebuild, closed forms, bit identity over chunks, tiles and threads."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from riskengine.base.axes import Axis
from riskengine.base.errors import InputError
from riskengine.base.sampling import BLOCK_BOOTSTRAP, BLOCK_MIXING, Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.execution import Serial, Threads
from riskengine.factor_model import FactorModel
from riskengine.simulation import chunks, draw_of_path, parameter_normals, simulate_noise


def make_model(factors=48, step_days=5, dof=5.0, rows=700, seed=3):
    """A factor model of random correlation, volatility and persistence (no market in it)."""
    rng = np.random.default_rng(seed)
    spread = rng.standard_normal((factors, 5)) * 0.6
    covariance = spread @ spread.T + np.eye(factors)
    sd = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sd, sd)
    lower = np.linalg.cholesky(correlation)
    residuals = rng.standard_normal((rows, factors)) @ lower.T
    residuals = (residuals - residuals.mean(axis=0)) / residuals.std(axis=0)
    return FactorModel(
        axis=Axis("factor", tuple(f"F{k}" for k in range(factors))), step_days=step_days, as_of="2000-01-03",
        vol_now=rng.uniform(0.005, 0.02, factors), vol_long_run=rng.uniform(0.005, 0.02, factors),
        persistence=rng.uniform(0.8, 0.99, factors), correlation=correlation, cholesky=lower, dof=dof,
        residuals=residuals, residual_synthetic=np.zeros(factors, bool), loadings=np.eye(factors),
        loadings_draw_factor=None, core=np.ones(factors, bool), stress_correlation=correlation,
        currency_beta=np.zeros(21), currency_beta_se=np.zeros(21), index_weights=np.full(21, 1 / 21),
        path_beta=np.zeros(10), path_beta_se=np.zeros(10), history=np.full(factors, rows), sample="",
    )


def philox(path, block, step, seed):
    """Words (4, n) by NumPy integers, independent of the kernels."""
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    c = [path & low, path >> shift, np.full_like(path, block), np.full_like(path, step)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> shift) ^ c[1] ^ np.uint64(k0), p1 & low, (p0 >> shift) ^ c[3] ^ np.uint64(k1), p0 & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.array(c, dtype=np.float64)


def rebuild(model, horizon, spec, chunk):
    """Level of the accumulated noise after every step (T, K, n), float64, NumPy and SciPy only."""
    path = np.arange(chunk.lo, chunk.hi, dtype=np.uint64)
    factors = len(model.axis)
    volatility = model.step_volatilities(horizon.steps)
    levels, total = [], np.zeros((factors, path.size))
    for step in range(horizon.steps):
        if spec.noise == "filtered_historical":
            word = philox(path, BLOCK_BOOTSTRAP, step, spec.seed)[0]
            shock = model.residuals[(word * len(model.residuals) // 2**32).astype(int)].T
        else:
            z = []
            for block in range(-(-factors // 4)):
                a, b, c, d = philox(path, block, step, spec.seed)
                for radial, angular in ((a, b), (c, d)):
                    radius = np.sqrt(-2 * np.log((radial + 0.5) / 2**32))
                    angle = 2 * np.pi * (angular + 0.5) / 2**32
                    z += [radius * np.sin(angle), radius * np.cos(angle)]
            shock = model.cholesky @ np.array(z[:factors])
            if spec.noise == "student_t":
                u = (philox(path, BLOCK_MIXING, step, spec.seed)[0] + 0.5) / 2**32
                shock = shock * np.sqrt((model.dof - 2) / stats.chi2.ppf(u, model.dof))
        total = total + volatility[step][:, None] * shock
        levels.append(total)
    return np.array(levels)


@pytest.mark.parametrize("noise", ["student_t", "gaussian", "filtered_historical"])
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 2e-6), ("float64", 1e-9)])
@pytest.mark.parametrize("factors", [48, 21, 5])
def test_kernel_equals_an_independent_rebuild(noise, precision, tolerance, factors):
    model = make_model(factors, dof=3.7)
    horizon, chunk = Horizon(6, 5), Chunk(2**32 - 150, 2**32 + 163)
    spec = RunSpec(noise=noise, precision=precision, seed=2**40 + 17)
    fixings = [(factors - 1, 5), (2, 0), (0, 3), (2, 3)]
    got, fixed = simulate_noise(model, horizon, spec, chunk, fixings)
    levels = rebuild(model, horizon, spec, chunk)
    scale = np.abs(levels).max(axis=0) + model.vol_now[:, None]
    assert np.all(np.abs(got - levels[-1]) <= tolerance * scale)
    for row, (k, step) in zip(fixed, fixings, strict=True):
        assert np.all(np.abs(row - levels[step, k]) <= tolerance * scale[k])
    assert np.array_equal(fixed[0], got[factors - 1]), "a fixing at the last step is the accumulated noise"


def test_a_fixing_equals_the_noise_of_the_shorter_horizon():
    model, spec, chunk = make_model(), RunSpec(), Chunk(512, 1500)
    _, fixed = simulate_noise(model, Horizon(9, 5), spec, chunk, [(7, 3)])
    short, none = simulate_noise(model, Horizon(4, 5), spec, chunk)
    assert np.array_equal(fixed[0], short[7])
    assert none.shape == (0, 988)


@pytest.mark.parametrize("noise", ["student_t", "gaussian", "filtered_historical"])
def test_bits_do_not_depend_on_chunks_or_threads(noise):
    model = make_model()
    spec = RunSpec(paths=4096, noise=noise)
    horizon = Horizon(5, 5)

    def digest(size, executor):
        parts = executor.map(lambda c: simulate_noise(model, horizon, spec, c, [(3, 1)]), chunks(spec, size))
        joined = [np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True)]
        return hashlib.sha256(joined[0].tobytes() + joined[1].tobytes()).hexdigest()

    with Threads(1) as one, Threads(2) as two:
        digests = {digest(size, e) for size in (333, 1024, 4096) for e in (Serial(), one, two)}
    assert len(digests) == 1


def test_variance_correlation_and_independence_of_the_accumulated_noise():
    model, horizon = make_model(), Horizon(8, 5)
    spec = RunSpec(paths=65_536, noise="gaussian")
    noise, _ = simulate_noise(model, horizon, spec, Chunk(0, spec.paths))
    n = spec.paths
    t = np.arange(8)[:, None]
    decay = (model.vol_now**2 - model.vol_long_run**2) * model.persistence**t
    variance = (model.vol_long_run**2 + decay).sum(axis=0)
    assert np.abs(noise.var(axis=1) / variance - 1).max() < 4.5 * np.sqrt(2 / n)
    assert np.abs(noise.mean(axis=1) / np.sqrt(variance)).max() < 4.5 / np.sqrt(n)
    covariance = model.horizon_covariance(8)
    correlation = covariance / np.sqrt(np.outer(variance, variance))
    pairs = np.triu_indices(48, 1)
    z = np.arctanh(np.corrcoef(noise)[pairs]) - np.arctanh(correlation[pairs])
    assert np.abs(z).max() < 5.2 / np.sqrt(n)
    unit = noise / np.sqrt(variance)[:, None]
    assert np.abs((unit[:, 1:] * unit[:, :-1]).mean(axis=1)).max() < 4.5 / np.sqrt(n)
    assert min(stats.kstest(unit[k], "norm").pvalue for k in range(0, 48, 6)) > 1e-4


def test_volatility_that_decays_has_the_closed_form_of_its_sum():
    model = make_model()
    flat = replace(model, vol_long_run=model.vol_now.copy())
    assert np.allclose(np.diag(flat.horizon_covariance(13)), 13 * flat.vol_now**2, rtol=1e-12)
    rho, now, later = model.persistence, model.vol_now**2, model.vol_long_run**2
    closed = 13 * later + (now - later) * (1 - rho**13) / (1 - rho)
    assert np.allclose(np.diag(model.horizon_covariance(13)), closed, rtol=1e-12)


@pytest.mark.parametrize("dof", [3.2, 5.0, 9.7])
def test_student_t_marginal_and_joint(dof):
    model = make_model(factors=8, dof=dof)
    spec = RunSpec(paths=131_072, noise="student_t")
    noise, _ = simulate_noise(model, Horizon(1, 5), spec, Chunk(0, spec.paths))
    unit = noise / model.vol_now[:, None]
    law = stats.t(dof, scale=np.sqrt((dof - 2) / dof))
    assert min(stats.kstest(row, law.cdf).pvalue for row in unit) > 1e-4
    distance = (np.linalg.solve(model.cholesky, unit) ** 2).sum(axis=0) / 8 * dof / (dof - 2)
    assert stats.kstest(distance, stats.f(8, dof).cdf).pvalue > 1e-4


def test_filtered_historical_moments_and_rows():
    model = make_model(rows=900)
    spec = RunSpec(paths=65_536, noise="filtered_historical", precision="float64")
    noise, _ = simulate_noise(model, Horizon(1, 5), spec, Chunk(0, spec.paths))
    unit = (noise / model.vol_now[:, None]).T
    near = np.abs(unit[:50, None, :] - model.residuals[None]).max(axis=2)
    assert np.all(near.min(axis=1) < 1e-12), "every path is one whole historical row"
    n = spec.paths
    empirical = np.corrcoef(model.residuals.T)
    assert np.abs(np.corrcoef(unit.T) - empirical).max() < 6 / np.sqrt(n)
    assert np.abs(unit.mean(axis=0)).max() < 4.5 / np.sqrt(n)


def test_residuals_with_a_drift_do_not_move_the_baseline():
    model = make_model(rows=900)
    spec = RunSpec(paths=4096, noise="filtered_historical", precision="float64")
    drifting = replace(model, residuals=model.residuals + 0.3)
    plain, _ = simulate_noise(model, Horizon(4, 5), spec, Chunk(0, 4096))
    moved, _ = simulate_noise(drifting, Horizon(4, 5), spec, Chunk(0, 4096))
    assert np.abs(plain - moved).max() < 1e-15


def test_float32_and_float64_agree_far_inside_the_sampling_error():
    model = make_model()
    single, _ = simulate_noise(model, Horizon(10, 5), RunSpec(), Chunk(0, 20_000))
    double, _ = simulate_noise(model, Horizon(10, 5), RunSpec(precision="float64"), Chunk(0, 20_000))
    assert not np.array_equal(single, double)
    sd = double.std(axis=1)
    for level in (200, 500):
        ordered = [np.sort(x, axis=1)[:, :level].mean(axis=1) for x in (single, double)]
        assert np.abs(ordered[0] - ordered[1]).max() < 1e-6 * sd.max()


def test_chunks_cover_every_path_once():
    spec = RunSpec(paths=20_480)
    for size in (1000, 8160, 20_480, 50_000):
        cut = chunks(spec, size)
        assert [c.lo for c in cut] == [0] + [c.hi for c in cut[:-1]] and cut[-1].hi == spec.paths


def test_other_steps_fixings_and_models_are_refused():
    model, spec = make_model(step_days=5), RunSpec(noise="student_t")
    with pytest.raises(InputError, match="5 days"):
        simulate_noise(model, Horizon(2, 1), spec, Chunk(0, 16))
    with pytest.raises(InputError, match="fixing") as error:
        simulate_noise(model, Horizon(2, 5), spec, Chunk(0, 16), [(0, 2), (48, 0)])
    assert len(error.value.problems) == 2
    with pytest.raises(InputError, match="lo < hi"):
        simulate_noise(model, Horizon(2, 5), spec, Chunk(5, 5))
    with pytest.raises(InputError, match="neighbours in memory"):
        simulate_noise(model, Horizon(2, 5), spec, Chunk(0, 16), out=np.empty((16, 48)).T)
    with pytest.raises(InputError, match="degrees of freedom"):
        simulate_noise(replace(model, dof=2.0), Horizon(2, 5), spec, Chunk(0, 16))
    with pytest.raises(InputError, match="residual"):
        simulate_noise(replace(model, residuals=np.empty((0, 48))), Horizon(2, 5),
                       RunSpec(noise="filtered_historical"), Chunk(0, 16))


def test_every_block_of_paths_holds_every_draw_once():
    spec = RunSpec(paths=16_384, draws=512, seed=9)
    d = draw_of_path(spec, 0, spec.paths)
    assert d.dtype == np.int32
    blocks = d.reshape(-1, 512)
    assert np.all(np.sort(blocks, axis=1) == np.arange(512))
    assert len({row.tobytes() for row in blocks}) == len(blocks), "another permutation in every block"
    assert np.array_equal(draw_of_path(spec, 700, 3000), d[700:3000])
    assert not np.array_equal(draw_of_path(replace(spec, seed=10), 0, 512), d[:512])
    place = np.argsort(blocks, axis=1)
    assert stats.chisquare(np.bincount(place[:, :8].ravel() // 64, minlength=8)).pvalue > 1e-4


def test_permutations_follow_the_reserved_block():
    spec = RunSpec(paths=1024, draws=4, seed=5)
    block = [np.array([b], dtype=np.uint64) for b in range(3)]
    words = [[tuple(philox(b, 0x8000_0002, d, 5)[:2, 0]) for d in range(4)] for b in block]
    expected = [sorted(range(4), key=row.__getitem__) for row in words]
    assert draw_of_path(spec, 0, 12).reshape(3, 4).tolist() == expected


def test_parameter_normals_are_stratified_and_nested():
    spec = RunSpec(draws=512)
    z = parameter_normals(spec, 40)
    assert z.shape == (512, 40)
    cells = np.sort((stats.norm.cdf(z) * 512).astype(int), axis=0)
    assert np.all(cells == np.arange(512)[:, None]), "one point in every 1/512 of each dimension"
    assert np.array_equal(parameter_normals(spec, 7), z[:, :7]), "more parameters leave the others alone"
    assert np.abs(np.corrcoef(z.T) - np.eye(40)).max() < 0.25
    assert np.abs(np.corrcoef(z[:, :6].T) - np.eye(6)).max() < 0.05
    assert not np.array_equal(parameter_normals(replace(spec, seed=1), 7), z[:, :7])
    assert parameter_normals(spec, 0).shape == (512, 0)


def test_scrambling_is_nested_not_a_digital_shift():
    """Under a shift two seeds differ by one constant pattern of bits; nested flips differ from cell to cell."""
    cells = [(stats.norm.cdf(parameter_normals(RunSpec(seed=s), 1)[:, 0]) * 512).astype(int) for s in (1, 2)]
    assert len(set(cells[0] ^ cells[1])) > 50


def test_first_two_sobol_dimensions_form_a_net():
    u = stats.norm.cdf(parameter_normals(RunSpec(draws=256, seed=3), 2))
    for columns in (1, 4, 16, 64, 256):
        cell = (u[:, 0] * columns).astype(int) * (256 // columns) + (u[:, 1] * (256 // columns)).astype(int)
        assert np.array_equal(np.sort(cell), np.arange(256)), "a (0, 8, 2)-net: one point in every box"
