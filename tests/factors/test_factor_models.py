"""The estimated models: shape and law, agreement with published betas, no look-ahead, cache."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import factors
from factors import estimation, history
from factors.diagnostics import estimate_table
from factors.loadings import currency_betas, path_betas
from riskengine.base.axes import CURRENCIES, FACTORS, KEY_RATES
from riskengine.base.errors import InputError
from riskengine.data import artefacts
from riskengine.data.panels import load_panel
from riskengine.market import Panel

AS_OF = "2024-09-24"
# EVIDENCE A2: monthly on the broad dollar, 2006–2025, Newey–West errors
PUBLISHED_BETA = {
    "KRW": (1.28, 0.17), "MYR": (0.90, 0.09), "SGD": (0.78, 0.04), "INR": (0.72, 0.08), "THB": (0.68, 0.11),
    "TWD": (0.61, 0.06), "JPY": (0.52, 0.24), "CNY": (0.34, 0.07), "HKD": (0.01, 0.01), "EUR": (1.26, 0.08),
    "GBP": (1.12, 0.07), "CHF": (1.09, 0.13), "CAD": (1.11, 0.08), "AUD": (1.67, 0.14), "NOK": (1.64, 0.10),
    "MXN": (1.53, 0.17), "BRL": (1.83, 0.17),
}


@pytest.fixture(params=["daily", "weekly"])
def model(request, models):
    return models[request.param]


def test_correlations_are_positive_definite(model):
    for r in (model.correlation, model.stress_correlation):
        np.testing.assert_array_equal(r, r.T)
        np.testing.assert_array_equal(np.diag(r), 1.0)
        assert np.linalg.eigvalsh(r)[0] > 1e-4
    np.testing.assert_allclose(model.cholesky @ model.cholesky.T, model.correlation, atol=1e-12)
    assert np.abs(model.stress_correlation - model.correlation).max() > 0.03


def test_volatilities_are_sane(model):
    year = np.sqrt(260 / model.step_days)
    annual = dict(zip(FACTORS.labels, model.vol_long_run * year, strict=True))
    now = dict(zip(FACTORS.labels, model.vol_now * year, strict=True))
    assert 0.08 < annual["FX_EUR"] < 0.11 and 0.003 < annual["FX_HKD"] < 0.015
    assert 0.007 < annual["UST_10Y"] < 0.012 and 0.15 < annual["EQ_SP500"] < 0.22
    assert now["EQ_SP500"] == annual["EQ_SP500"] and now["EQ_NASDAQ"] == annual["EQ_NASDAQ"]
    assert 0.004 < annual["CAP_OFFICE"] < 0.015 and 0.08 < annual["HOME_NATIONAL"] < 0.13
    assert annual["HOME_MIAMI"] > annual["HOME_NATIONAL"]
    assert (model.vol_now > 0).all() and ((model.persistence >= 0) & (model.persistence < 1)).all()
    assert 4 < model.dof < 20


def test_baskets_and_types_are_not_one_factor(model):
    i = FACTORS.index
    for a, b in (("EQ_EXPORTERS", "EQ_IMPORTERS"), ("CAP_OFFICE", "CAP_RETAIL"),
                 ("HOME_MIAMI", "HOME_NEW_YORK")):
        assert 0.3 < model.correlation[i(a), i(b)] < 0.97


def test_weekly_is_estimated_on_weeks_not_scaled(models):
    daily, weekly = models["daily"], models["weekly"]
    assert weekly.step_days == 5 and daily.step_days == 1
    scaled = daily.vol_long_run * np.sqrt(5)
    assert np.abs(weekly.vol_long_run / scaled - 1)[FACTORS.index("EQ_SP500")] > 0.03
    assert np.abs(weekly.correlation - daily.correlation).max() > 0.05
    assert weekly.dof != daily.dof
    k = FACTORS.index("FX_EUR")
    assert weekly.persistence[k] == pytest.approx(daily.persistence[k] ** 5)


def test_rows_for_filtered_simulation(model):
    rows = model.residuals
    assert np.isfinite(rows).all() and rows.flags.c_contiguous
    np.testing.assert_allclose(rows.std(axis=0), 1.0, atol=1e-9)
    flags = dict(zip(FACTORS.labels, model.residual_synthetic, strict=True))
    assert not flags["FX_EUR"] and not flags["UST_10Y"]
    assert flags["EQ_SP500"] and flags["CAP_OFFICE"] and flags["FX_CNY"]
    i, j = FACTORS.index("EQ_SP500"), FACTORS.index("EQ_NASDAQ")
    assert np.corrcoef(rows.T)[i, j] == pytest.approx(model.correlation[i, j], abs=0.05)


def test_core_and_loadings(model):
    non_core = [label for label, c in zip(FACTORS.labels, model.core, strict=True) if not c]
    assert non_core == ["EQ_NASDAQ", "VOL_EQUITY", "VOL_FX"]
    np.testing.assert_array_equal(model.loadings[:, ~model.core], 0.0)
    np.testing.assert_array_equal(model.loadings[model.core], np.eye(len(FACTORS))[model.core])
    i = FACTORS.index
    assert 1.1 < model.loadings[i("EQ_NASDAQ"), i("EQ_SP500")] < 1.6
    assert -6 < model.loadings[i("VOL_EQUITY"), i("EQ_SP500")] < -2
    np.testing.assert_array_equal(model.loadings_draw_factor[model.core], 0.0)
    variance = (model.loadings_draw_factor[i("EQ_NASDAQ"), i("EQ_SP500")] ** 2).sum()
    row = next(r for r in model.diagnostics if r.get("name") == "EQ_NASDAQ on EQ_SP500")
    assert np.sqrt(variance) == pytest.approx(row["se"])


def test_currency_betas_agree_with_the_published_ones():
    day = "2025-10-15"
    fits = currency_betas({"fx_monthly": load_panel("fx_monthly", day)}, np.datetime64(day))
    off = {c: (fits[CURRENCIES.index(c)].slopes[0] - b) / se for c, (b, se) in PUBLISHED_BETA.items()}
    assert sum(abs(z) < 1 for z in off.values()) >= 15 and max(map(abs, off.values())) < 2
    errors = {c: fits[CURRENCIES.index(c)].errors[0] / se for c, (_, se) in PUBLISHED_BETA.items()
              if c != "HKD"}
    assert all(0.8 < ratio < 1.25 for ratio in errors.values())


def test_path_beta_of_the_ten_year():
    day = "2025-10-15"
    panel = load_panel("rates_monthly", day)
    fits = dict(zip(KEY_RATES, path_betas({"rates_monthly": panel}, np.datetime64(day)), strict=True))
    assert fits["10Y"].slopes[0] == pytest.approx(0.87, abs=0.06)
    assert fits["10Y"].errors[0] == pytest.approx(0.06, abs=0.01)
    assert fits["10Y"].r2 == pytest.approx(0.59, abs=0.03)
    assert fits["2Y"].slopes[0] == 1.0 and fits["30Y"].slopes[0] < fits["5Y"].slopes[0]


def test_weights_and_diagnostics(model):
    assert model.index_weights.sum() == pytest.approx(1.0)
    assert json.loads(json.dumps(list(model.diagnostics), allow_nan=False)) == list(model.diagnostics)
    rows = {r["factor"]: r for r in model.diagnostics if r["kind"] == "factor"}
    assert tuple(rows) == FACTORS.labels
    assert all(r["method"] for r in rows.values())
    assert rows["FX_JPY"]["ljung_box_z2_p"] > 0.01


def test_estimation_table(models):
    rows = estimate_table(models).rows
    names = [(r["model"], r["name"]) for r in rows]
    assert len(names) == len(set(names))
    assert ("both", "currency beta EUR") in names and ("weekly", "degrees of freedom ν") in names
    assert all(np.isfinite(r["estimate"]) for r in rows)


def poisoned(name: str, as_of: str) -> Panel:
    """A source that lets everything through, with nonsense after the as-of date."""
    late = load_panel(name, "2024-09-24")
    values = late.values.copy()
    values[late.dates > np.datetime64(as_of)] *= 7.3
    return Panel(late.name, late.dates, values, late.axis, late.units, late.kind)


def test_nothing_after_the_as_of_date_reaches_the_laboratory(monkeypatch):
    """The laboratory cuts what a leaking data room hands it.  Panels are all that the models are built from;
    built worlds are compared in workflows/test_world_point_in_time."""
    day = "2012-06-29"
    honest = history.read_panels(day)
    monkeypatch.setattr(history, "load_panel", lambda name, as_of: lagged(name, as_of))
    assert history.hash_panels(honest) == history.hash_panels(history.read_panels(day))
    assert all(str(p.dates[-1]) <= day for p in honest.values())
    assert str(history.load_panel("fx_daily", day).dates[-1]) > "2024", "the data room leaks"
    with monkeypatch.context() as without:
        without.setattr(history, "_cut", lambda panel, _: panel)
        assert history.hash_panels(honest) != history.hash_panels(history.read_panels(day))


def lagged(name: str, as_of: str) -> Panel:
    """Panels with late publication keep their own rule (it is the data room's); all others are poisoned."""
    if name in ("fx_monthly", "rates_monthly", "stress_history_quarterly"):
        known = load_panel(name, as_of)
        late = poisoned(name, as_of)
        keep = np.isin(late.dates, known.dates) | (late.dates > np.datetime64(as_of))
        return Panel(late.name, late.dates[keep], late.values[keep], late.axis, late.units, late.kind)
    return poisoned(name, as_of)


def test_too_early_and_incomplete_inputs_are_refused(panels, market_inputs):
    from factors.assembly import build_models

    with pytest.raises(InputError, match="2007-01-01"):
        history.read_panels("2006-12-29")
    gone = ("cap_rate.OFFICE", "residual_vol.EQ_DOMESTIC")
    some = {k: v for k, v in market_inputs.items() if k not in gone}
    with pytest.raises(InputError) as caught:
        build_models(panels, AS_OF, some)
    assert {p.field for p in caught.value.problems} == set(gone)


def test_cache_round_trip_truncation_and_key(models, market_inputs, monkeypatch, tmp_path):
    monkeypatch.setenv("RISKENGINE_CACHE", str(tmp_path))
    calls = []

    def build(panels, as_of, inputs):
        calls.append(as_of)
        return models

    monkeypatch.setattr("factors.assembly.build_models", build)
    first = factors.estimate_models(AS_OF, market_inputs)
    second = factors.estimate_models(AS_OF, market_inputs)
    assert len(calls) == 1
    for name, model in models.items():
        for f in dataclasses.fields(model):
            a, b = getattr(model, f.name), getattr(second[name], f.name)
            if isinstance(a, np.ndarray):
                assert a.dtype == b.dtype and a.tobytes() == b.tobytes(), f.name
            else:
                assert a == b, f.name
        assert artefacts.model_hash(first[name]) == artefacts.model_hash(second[name])
    stored = next(tmp_path.rglob("*-daily.npz"))
    whole = stored.read_bytes()
    stored.write_bytes(whole[: len(whole) // 2])
    third = factors.estimate_models(AS_OF, market_inputs)
    assert len(calls) == 2 and stored.read_bytes() == whole
    np.testing.assert_array_equal(third["daily"].correlation, models["daily"].correlation)
    changed = dict(market_inputs)
    changed["cap_rate.OFFICE"] = dataclasses.replace(changed["cap_rate.OFFICE"], value=0.08)
    factors.estimate_models(AS_OF, changed)
    assert len(calls) == 3
    keys = {estimation.artefact_key(a, h, market_inputs) for a in ("2024-09-23", AS_OF) for h in ("x", "y")}
    assert len(keys) == 4
    assert not list(tmp_path.rglob(".*"))


def test_unwritable_cache_still_estimates(models, market_inputs, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("RISKENGINE_CACHE", str(blocked))
    monkeypatch.setattr("factors.assembly.build_models", lambda *_: models)
    with pytest.warns(UserWarning, match="could not be cached"):
        assert factors.estimate_models(AS_OF, market_inputs) is not None
