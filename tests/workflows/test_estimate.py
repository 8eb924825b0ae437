"""riskengine estimate as a user meets it: files, artefact, page, structural check, exit codes."""

from __future__ import annotations

import dataclasses
import json

import polars as pl
import pytest

from riskengine import cli
from riskengine.base.errors import InputError
from riskengine.base.sampling import RunSpec
from riskengine.base.sensitivity import Exclusion
from riskengine.data.artefacts import ArtefactError
from riskengine.data.configs import load_scenario
from riskengine.data.parameters import load_parameters
from riskengine.data.priors import load_priors
from riskengine.data.sensitivities import load_sensitivities, previous_estimate, save_sensitivities
from riskengine.reports.estimation import render_estimation
from riskengine.workflows.estimate import run_sensitivities, table_rows
from riskengine.workflows.structural import structural_check, with_set

AS_OF = "2024-09-24"


@pytest.fixture(scope="module")
def found():
    return run_sensitivities(AS_OF)


def stubborn(found, row_id, **changes):
    """*found* with one row changed."""
    rows = tuple(dataclasses.replace(r, **changes) if r.id == row_id else r for r in found.rows)
    return dataclasses.replace(found, rows=rows)


def test_the_artefact_returns_to_the_bit_and_a_damaged_one_is_refused(found, tmp_path):
    path = tmp_path / AS_OF / "sensitivities.json"
    save_sensitivities(found, path)
    assert load_sensitivities(path) == found
    assert previous_estimate(tmp_path, "2024-09-23") is None
    assert previous_estimate(tmp_path, "2025-01-31") == found
    older = dataclasses.replace(found, as_of="2024-08-30")
    save_sensitivities(older, tmp_path / "2024-08-30" / "sensitivities.json")
    assert previous_estimate(tmp_path, AS_OF, found) == older  # an equal estimate says nothing
    (tmp_path / "2024-08-30" / "sensitivities.json").unlink()
    assert previous_estimate(tmp_path, AS_OF, found) == found
    text = path.read_text()
    path.write_text(text.replace('"n": 2', '"n": 3', 1))
    with pytest.raises(ArtefactError, match="hash"):
        load_sensitivities(path)
    path.write_text(text[:1000])
    with pytest.raises(ArtefactError):
        load_sensitivities(path)
    assert previous_estimate(tmp_path, "2025-01-31") is None


def test_the_command_writes_page_tables_and_artefact(tmp_path, capfd):
    out = tmp_path / "o"
    assert cli.run(["estimate", "--as-of", AS_OF, "--out", str(out), "--no-check", "--json"]) == 0
    printed, err = capfd.readouterr()
    said = json.loads(printed)
    assert said["as_of"] == AS_OF and said["data_version"] == "embedded" and said["factor_models"]
    folder = out / AS_OF
    assert {p.name for p in folder.iterdir()} == {"estimate.html", "sensitivities.json",
                                                  "sensitivities.parquet",
                                                  "sensitivities.csv", "quantiles.parquet"}
    table = pl.read_parquet(folder / "sensitivities.parquet")
    assert table.height == len(said["sensitivities"]) and "excluded" in table.columns
    korea = table.filter(pl.col("id") == "currency_beta.KRW").row(0, named=True)
    w, v = korea["prior_se"] ** -2, korea["data_se"] ** -2
    assert korea["posterior"] == pytest.approx((w * korea["prior"] + v * korea["data"]) / (w + v), rel=1e-12)
    missing = table.filter(pl.col("id") == "flow.premium.official").row(0, named=True)
    assert "riskengine data import" in missing["excluded"] and missing["data"] is None
    first = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert cli.run(["estimate", "--as-of", AS_OF, "--out", str(out), "--no-check"]) == 0
    capfd.readouterr()
    again = {p.name: p.read_bytes() for p in folder.iterdir()}
    page = again.pop("estimate.html").decode()
    first.pop("estimate.html")
    assert again == first  # no clock in the artefact or the tables
    assert f"Nothing has changed since the estimate of {AS_OF}" in page


@pytest.mark.parametrize("line", [
    ["estimate", "--as-of", "yesterday"], ["estimate", "--as-of", "1989-01-01", "--out", "OUT"],
    ["estimate", "--data", "FILE", "--out", "OUT"], ["estimate", "check", "--as-of", "2024-13-01"],
    ["estimate", "--nonsense"],
])
def test_wrong_input_is_one_message_and_exit_code_one(line, tmp_path, capfd):
    (tmp_path / "file").write_text("not a folder")
    line = [str(tmp_path / "file") if x == "FILE" else str(tmp_path / "o") if x == "OUT" else x for x in line]
    assert cli.run(line) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.strip() and "Traceback" not in err


def test_an_output_folder_that_is_a_file_is_an_input_error(tmp_path, capfd):
    (tmp_path / "o").write_text("")
    assert cli.run(["estimate", "--as-of", AS_OF, "--out", str(tmp_path / "o"), "--no-check"]) == 1
    assert "--out" in capfd.readouterr()[1]


def test_problems_of_the_priors_are_listed_together(tmp_path):
    (tmp_path / "estimation.toml").write_text(
        '[prior.a]\nsource = "x"\ntag = "Z"\nvalues = { b = [1.0, 0.0], c = "no" }\nmore = 1\n[extra]\n')
    with pytest.raises(InputError) as error:
        load_priors(load_parameters(), tmp_path)
    assert len(error.value.problems) == 5


def test_sets_replace_what_the_engine_uses_and_nothing_else(found, world):
    changed = stubborn(found, "path_beta.10Y", estimate=0.5, posterior=0.6, posterior_se=0.01)
    data, posterior = (with_set(world, changed, s) for s in ("data", "posterior"))
    at = 7
    assert data.weekly.path_beta[at] == 0.5 and posterior.daily.path_beta[at] == 0.6
    assert with_set(world, changed, "engine") is world
    assert world.weekly.path_beta[at] != 0.5  # the world handed in is untouched
    korea = found["currency_beta.KRW"]
    assert posterior.parameters["currency_beta.KRW"].default == pytest.approx(korea.posterior)
    assert data.parameters["gamma_broad_per_gdp"] == world.parameters[
        "gamma_broad_per_gdp"]  # no row, no change
    only = with_set(world, changed, "posterior", only=frozenset({"currency_beta.KRW"}))
    assert only.weekly.path_beta[at] == world.weekly.path_beta[at]
    assert len(only.parameters) == len(world.parameters)


def test_the_structural_check_moves_pnl_with_the_elasticity(found, world, book):
    """A dollar that ignores flows: the set 'data' must lose the dollar's move, floored at 5% of the prior."""
    from riskengine.base.sensitivity import Prior

    template = found["dollar_on_2y.broad"]
    gamma = dataclasses.replace(template, id="dollar_flow.total", group="flows", estimate=-0.5, se=0.5,
                                posterior=0.1,
                                posterior_se=0.4, prior=Prior(1.95, 1.96, "x", "D"),
                                used_as="gamma_broad_per_gdp",
                                engine="prior", identified=False)
    found = dataclasses.replace(found, rows=(*found.rows, gamma))
    check = structural_check(found, world, book, [load_scenario("exodus_10pct")],
                             RunSpec(paths=1024, draws=64))
    by = {o.chosen: o for o in check.outcomes}
    assert set(by) == {"engine", "prior", "data", "posterior", "identified"}
    assert by["data"].dollar < 0.15 * by["engine"].dollar
    assert by["identified"].dollar == pytest.approx(by["engine"].dollar, rel=0.02)
    row = next(e for e in check.elasticities if e.name == "gamma_broad_per_gdp")
    assert row.floored and not row.identified and row.values[:3] == (1.95, 1.95, -0.5)
    effect = {name: x for name, _, x in check.single}
    assert abs(effect["gamma_broad_per_gdp"]) > 10 * abs(effect["path betas"])
    page = render_estimation(found, None, check, [])
    assert "gamma_broad_per_gdp" in page and "wrong sign: enters at 5% of the prior" in page


def test_the_page_says_what_changed_and_escapes_what_it_is_given(found):
    before = stubborn(found, "path_beta.10Y", estimate=found["path_beta.10Y"].estimate - 0.2)
    odd = dataclasses.replace(found, exclusions=(Exclusion("x", "flows", "<script>alert(1)</script>"),))
    page = render_estimation(odd, before, "no market that day", [])
    assert "Against the estimate of" in page and "data revised" in page and "+0.200" in page
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert "no market that day" in page and "http://" not in page and "https://" not in page
    assert page.count("<svg") > 20


def test_table_rows_hold_every_row_and_every_exclusion_with_the_same_keys(found):
    rows = table_rows(found)
    assert len(rows) == len(found.rows) + len(found.exclusions)
    assert len({tuple(sorted(r)) for r in rows}) == 1
