"""Episodes: files and their errors, proper scores, variables, replays that see no future, the scorecard, the
cache."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

import backtests
from backtests import outcomes, replay
from backtests.distribution_scores import FLOOR, crps_of_sample, log_score_of_sample
from backtests.outcomes import NOTIONAL_MN, load_levels, variables
from backtests.point_in_time import world_at
from backtests.replay import COVARIANCE, ENGINE, NO_SCENARIO, Forecast, Replay, replay_episode
from backtests.replay_record import from_record, to_record
from backtests.scorecard import (
    announcement_day, controls_table, leave_one_out, score_episodes, worse_than_rival,
)
from riskengine.base.axes import FACTORS, KEY_RATES
from riskengine.base.errors import InputError
from riskengine.data import panels
from riskengine.data.configs.episodes import load_episode
from riskengine.workflows import episodes as workflow

FOLDER = Path(backtests.__file__).parent / "episodes"
PATHS, DRAWS = 2048, 64


@pytest.fixture(scope="module", autouse=True)
def few_paths():
    """Smaller replays: the laws tested here hold at any count of paths."""
    kept = replay.PATHS, replay.DRAWS
    replay.PATHS, replay.DRAWS = PATHS, DRAWS
    yield
    replay.PATHS, replay.DRAWS = kept


def no_world(as_of: str):
    """Episodes before 2007 need no world of the night."""
    raise AssertionError(f"the night's world was asked for at {as_of}")


@pytest.fixture(scope="module")
def louvre():
    episode = load_episode(FOLDER / "louvre_1987.toml")
    return replay_episode(episode, world_at(episode.base, no_world))


@pytest.fixture(scope="module")
def world_of_1985():
    return world_at("1985-09-20", no_world)


@pytest.fixture(scope="module")
def plaza(world_of_1985):
    return replay_episode(load_episode(FOLDER / "plaza_1985.toml"), world_of_1985)


# ---------------------------------------------------------------------------------------------------- files
@pytest.mark.parametrize(("wrong", "right", "line_of", "words"), [
    ('kind = "accord"', 'kind = "party"', "kind = ", "unknown kind of episode 'party'"),
    ("base = 1987-02-20", "base = 1987-02-25", "base = ", "not after announced"),
    ("base = 1987-02-20", 'base = "last Friday"', "base = ", "base"),
    ('factor = "UST_10Y"', 'factor = "UST_11Y"', "factor = ", "unknown factor 'UST_11Y'"),
    ("most = 10", "most = -1", "most = ", "greater than 0"),
    ('unknowable = "', 'unknown = "', "unknown = ", "unknown"),
    ("credibility = 0.5", "credibility = 1.5", "credibility = ", "credibility"),
    ('type = "currency_accord"', 'type = "treaty"', "type = ", "treaty"),
])
def test_a_wrong_file_is_refused_with_line_and_what_is_accepted(tmp_path, wrong, right, line_of, words):
    text = (FOLDER / "louvre_1987.toml").read_text(encoding="utf-8")
    assert text.count(wrong) == 1
    broken = text.replace(wrong, right)
    file = tmp_path / "mine_1987.toml"
    file.write_text(broken, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_episode(file)
    message = str(caught.value)
    assert words in message and str(file) in message
    rows = {p.row for p in caught.value.problems if p.row}
    line = next(i for i, text in enumerate(broken.splitlines(), 1) if text.startswith(line_of))
    table = next(i for i, text in enumerate(broken.splitlines(), 1) if text.startswith("[episode]"))
    assert rows & {line, table}, (rows, line)


def test_several_problems_of_a_file_come_together(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('title = "Mine"\n[episode]\nannounced = 2020-03-08\nbase = 2020-03-06\nkind = "x"\n'
                    'announcement = "a"\nunknowable = ""\n', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_episode(file)
    assert len(caught.value.problems) >= 3
    with pytest.raises(InputError, match="the table \\[episode\\] is missing"):
        file.write_text('title = "Mine"\nnarrative = "n"\n', encoding="utf-8")
        load_episode(file)
    with pytest.raises(InputError, match="no such episode file"):
        load_episode(tmp_path / "absent.toml")


def test_the_shipped_episodes_are_those_of_the_calendar():
    found = workflow.find_episodes(())
    assert len(found) >= 21
    for file, episode in found.items():
        assert episode.base <= episode.announced and episode.source and episode.unknowable, file.name
        assert np.is_busday(episode.base), file.name
    names = {e.name for e in found.values()}
    assert {"plaza_1985", "louvre_1987", "antilles_1987", "brazil_iof_2009", "gilts_2022"} <= names
    assert next(e for e in found.values() if e.name == "brazil_iof_2009").not_applicable


# --------------------------------------------------------------------------------------------------- scores
@pytest.mark.parametrize("outcome", [-3.0, -0.4, 0.7, 2.5])
def test_scores_against_the_closed_form_of_the_normal(outcome):
    mean, sd, n = 0.3, 1.7, 200_000
    sample = mean + sd * norm.ppf((np.arange(n) + 0.5) / n)
    z = (outcome - mean) / sd
    crps = sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi))
    assert crps_of_sample(sample, outcome) == pytest.approx(crps, rel=1e-4)
    assert log_score_of_sample(sample, outcome) == pytest.approx(-norm.logpdf(outcome, mean, sd), abs=0.01)


def test_crps_of_a_small_sample_is_its_definition():
    x, y = np.array([0.3, -1.0, 2.0, 0.3, 5.0]), 0.9
    slow = np.abs(x - y).mean() - 0.5 * np.abs(x[:, None] - x[None, :]).mean()
    assert crps_of_sample(x, y) == pytest.approx(slow, rel=1e-12)
    assert crps_of_sample(np.full(7, 2.0), 3.5) == pytest.approx(1.5)
    assert log_score_of_sample(np.zeros(10), 0.0) == -FLOOR
    assert log_score_of_sample(np.linspace(0, 1, 100), 1e9) == -FLOOR


def test_variables_are_their_identities():
    rng = np.random.default_rng(3)
    x = 0.02 * rng.standard_normal((len(FACTORS), 50))
    beta = rng.uniform(0.2, 1.0, len(KEY_RATES))
    available = ("FX_JPY", "FX_GBP", "FX_CHF", "UST_2Y", "UST_10Y", "EQ_SP500")
    weights = {"JPY": 0.5, "GBP": 0.3, "CHF": 0.2}
    v = variables(x, available, weights, beta)
    of = {label: x[FACTORS.index(label)] for label in available}
    basket = 0.5 * of["FX_JPY"] + 0.3 * of["FX_GBP"] + 0.2 * of["FX_CHF"]
    np.testing.assert_allclose(v["DOLLAR"], basket, rtol=1e-12)
    phi = beta[list(KEY_RATES).index("10Y")]
    np.testing.assert_allclose(v["UST_10Y_RESIDUAL"], of["UST_10Y"] - phi * of["UST_2Y"], rtol=1e-12)
    fx = NOTIONAL_MN * (0.5 * (np.exp(of["FX_JPY"]) - 1) + 0.3 * (np.exp(of["FX_GBP"]) - 1)
                        + 0.2 * (np.exp(of["FX_CHF"]) - 1))
    bond = NOTIONAL_MN * (np.exp(-10 * of["UST_10Y"]) - 1)
    share = NOTIONAL_MN * (np.exp(of["EQ_SP500"]) - 1)
    np.testing.assert_allclose(v["BOOK_TOTAL"], fx + bond + share, rtol=1e-9)
    np.testing.assert_allclose(v["BOOK_TREASURY"], bond, rtol=1e-9)
    fewer = variables(x, available[:-1], weights, beta)
    assert "BOOK_EQUITY" not in fewer and "EQ_SP500" not in fewer
    np.testing.assert_allclose(fewer["BOOK_TOTAL"], fx + bond, rtol=1e-9)


# -------------------------------------------------------------------------------------------------- replays
def test_an_accord_that_asks_nothing_is_the_rival_without_a_scenario(louvre):
    """Louvre: targets of zero, so the prediction is that without a scenario, number for number."""
    by = {(f.variable, f.weeks, f.model): f for f in louvre.forecasts}
    checked = 0
    for (variable, weeks, model), f in by.items():
        if model == ENGINE:
            rival = by[variable, weeks, NO_SCENARIO]
            assert replace(f, model=NO_SCENARIO) == rival or math.isnan(f.realised)
            checked += 1
    assert checked > 60
    assert all(low == median == high == 0.0 for by in louvre.response.values()
               for low, median, high in by.values())
    assert controls_table([louvre])[0]["small"] is True


def test_the_plaza_scenario_moves_the_dollar_down_and_the_scores_are_its_own(plaza):
    by = {(f.variable, f.weeks, f.model): f for f in plaza.forecasts}
    engine, calm = by["DOLLAR", 52, ENGINE], by["DOLLAR", 52, NO_SCENARIO]
    assert engine.quantiles[3] > 0.02 > abs(calm.quantiles[3])
    assert engine.crps < calm.crps and engine.realised > 0.1
    assert list(engine.quantiles) == sorted(engine.quantiles)
    for f in plaza.forecasts:
        if math.isfinite(f.realised):
            assert f.inside == (f.quantiles[1] <= f.realised <= f.quantiles[5])
            assert 0 <= f.pit <= 1 and f.crps >= 0
    weeks, path = plaza.outcome_path["DOLLAR"]
    assert weeks[-1] == 52 and path[-1] == pytest.approx(engine.realised)
    assert "EQ_SP500" not in plaza.available and any("EQ_SP500" in r for r in plaza.remarks)


def test_a_record_is_the_replay(plaza):
    record = json.loads(json.dumps(to_record(plaza), allow_nan=False))
    again = from_record(record, plaza.episode)
    assert repr(again.forecasts) == repr(plaza.forecasts)
    assert again.response == plaza.response and again.chain == plaza.chain
    assert again.controls == plaza.controls
    assert repr(score_episodes([again])) == repr(score_episodes([plaza]))  # NaN: nothing to leave out


def test_the_future_is_not_seen(plaza, world_of_1985, monkeypatch):
    """Nonsense after the base date: models of the date and predicted quantiles are the same to the bit, and
    only what happened changes."""
    base = plaza.episode.base
    honest = panels.full_history
    poisoned_values = 0

    def poisoned(name: str):
        nonlocal poisoned_values
        dates, values = honest(name)
        late = dates > np.datetime64(base)
        values = values.copy()
        wave = 1.0 + 0.5 * np.cos(np.arange(late.sum()))[:, None]
        values[late] = np.where(np.isfinite(values[late]), values[late] * wave, np.nan)
        poisoned_values += int(late.sum())
        return dates, values

    monkeypatch.setattr(panels, "full_history", poisoned)
    dirty = world_at(base, no_world)
    assert poisoned_values > 1000
    for name in ("daily", "weekly"):
        a, b = getattr(world_of_1985.world, name), getattr(dirty.world, name)
        for field in a.__dataclass_fields__:
            left, right = getattr(a, field), getattr(b, field)
            if isinstance(left, np.ndarray):
                np.testing.assert_array_equal(left, right, err_msg=field)
    spot = world_of_1985.world.snapshot.spot
    assert spot == dirty.world.snapshot.spot and len(spot) > 8
    np.testing.assert_array_equal(world_of_1985.world.snapshot.zero_rates, dirty.world.snapshot.zero_rates)
    assert world_of_1985.weights == dirty.weights and world_of_1985.available == dirty.available
    again = replay_episode(plaza.episode, dirty)
    assert [f.quantiles for f in again.forecasts] == [f.quantiles for f in plaza.forecasts]
    assert again.response == plaza.response and again.chain == plaza.chain
    assert [f.realised for f in again.forecasts] != [f.realised for f in plaza.forecasts]


def test_levels_are_never_stale():
    levels = load_levels("1987-02-20")
    days = levels.series["UST_10Y"][0]
    assert days[-1] <= np.datetime64("1987-02-20")
    assert math.isfinite(levels.at("UST_10Y", days[-1] + np.timedelta64(7, "D")))
    assert math.isnan(levels.at("UST_10Y", days[-1] + np.timedelta64(8, "D")))
    assert levels.next_day(days[-1]) is None and levels.next_day(days[-2]) == days[-1]
    assert outcomes.horizon_day(levels, np.datetime64("1987-02-20"), 4) == np.datetime64("1987-03-20")


# ------------------------------------------------------------------------------------------------ scorecard
def made(louvre: Replay, name: str, crps: dict[str, float], inside: bool = True, not_applicable: str = "",
         response: float = 0.5, realised: float = 1.0) -> Replay:
    """A replay of one variable at one horizon with given scores; unit standard deviation."""
    z = tuple(float(norm.ppf(p)) for p in (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95))
    episode = replace(louvre.episode, name=name, not_applicable=not_applicable)
    forecasts = tuple(Forecast(name, "DOLLAR", 4, m, 0.0, z, realised, inside, 0.5, crps[m], crps[m])
                      for m in (ENGINE, NO_SCENARIO, COVARIANCE))
    return replace(louvre, episode=episode, forecasts=forecasts,
                   response={"DOLLAR": {4: (0.0, response, 1.0)}},
                   controls=())


def test_the_width_of_the_announcement_day_is_measured_leaving_one_episode_out(louvre):
    def moved(name: str, ratios: list[float], **changes) -> Replay:
        one = made(louvre, name, dict.fromkeys((ENGINE, NO_SCENARIO, COVARIANCE), 1.0), **changes)
        z = one.forecasts[0].quantiles
        return replace(one, forecasts=tuple(
            Forecast(name, f"FX_{i}", 0, NO_SCENARIO, 0.0, z, sign * r * z[5], abs(r) <= 1, 0.5, 1.0, 1.0)
            for i, r in enumerate(ratios) for sign in (-1, 1)))

    calm, wild = [0.1, 0.5, 0.9, 0.95, 1.2], [1.0, 2.0, 2.0, 2.5, 3.0]
    found = announcement_day([moved("a", calm), moved("b", calm), moved("c", wild),
                              moved("d", [9.0], not_applicable="no claim")])
    assert (found["episodes"], found["cells"], found["calm"]) == (3, 30, 2)
    assert found["inside"] == pytest.approx(9 / 15)
    ratios = np.sort(np.concatenate([calm, calm, wild]))
    assert found["widening"] == pytest.approx(ratios[11])  # the twelfth of fifteen holds 80%
    assert found["lowest"] == pytest.approx(0.95) and found["highest"] == pytest.approx(2.0)
    assert found["inside_left_out"] == pytest.approx((5 + 5 + 0) / 15)
    weighted = announcement_day([moved("a", calm * 40), moved("c", wild)])
    assert weighted["widening"] == pytest.approx(2.0), "an episode weighs one, whatever its currencies"
    assert announcement_day([moved("a", calm)]) is None


def test_skill_leave_one_out_and_what_is_not_counted(louvre):
    good = {ENGINE: 0.5, NO_SCENARIO: 1.0, COVARIANCE: 2.0}
    bad = {ENGINE: 1.2, NO_SCENARIO: 1.0, COVARIANCE: 1.0}
    replays = [made(louvre, "good", good), made(louvre, "bad", bad, inside=False, realised=-1.0),
               made(louvre, "outside", {ENGINE: 99.0, NO_SCENARIO: 1.0, COVARIANCE: 1.0},
                    not_applicable="no claim")]
    calm, wide = score_episodes(replays)
    assert (calm.rival, wide.rival) == (NO_SCENARIO, COVARIANCE)
    assert calm.skill == pytest.approx(1 - 1.7 / 2.0) and wide.skill == pytest.approx(1 - 1.7 / 3.0)
    assert (calm.lowest, calm.highest) == (pytest.approx(-0.2), pytest.approx(0.5))
    assert calm.most_needed == "good" and calm.episodes == calm.cells == 2
    assert calm.inside == 0.5 and (calm.sign_hits, calm.sign_cells) == (1, 2)
    assert calm.log_score_gain == pytest.approx(0.5 * (0.5 - 0.2))
    rows = {r["episode"]: r for r in leave_one_out(replays)}
    assert set(rows) == {"good", "bad"}
    assert rows["good"]["own_skill"] == pytest.approx(0.5)
    assert rows["good"]["skill_without"] == pytest.approx(-0.2)
    assert worse_than_rival(score_episodes(replays)) == []
    beaten = worse_than_rival(score_episodes([made(louvre, "a", bad), made(louvre, "b", bad)]))
    assert len(beaten) == 2 and "dollar at 4 weeks" in beaten[0]
    assert score_episodes(replays, kinds=["tariff"]) == ()


def test_a_response_too_small_has_no_sign(louvre):
    same = {ENGINE: 1.0, NO_SCENARIO: 1.0, COVARIANCE: 1.0}
    calm = score_episodes([made(louvre, "a", same, response=0.2), made(louvre, "b", same, response=-0.3)])[0]
    assert (calm.sign_hits, calm.sign_cells) == (0, 1)


# ------------------------------------------------------------------------------------------------- workflow
@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def own_file(folder: Path, name: str = "mine_1989") -> Path:
    """A user's episode at a date of their own."""
    text = (FOLDER / "louvre_1987.toml").read_text(encoding="utf-8")
    for old, new in (("announced = 1987-02-22", "announced = 1989-09-23"),
                     ("base = 1987-02-20", "base = 1989-09-22"),
                     ("JPY = 0.0", "JPY = 0.05")):
        assert old in text
        text = text.replace(old, new)
    file = folder / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_user_s_own_file_is_replayed_kept_and_written(tmp_path, cache, monkeypatch):
    file = own_file(tmp_path)
    seen: list[tuple[str, int, int]] = []
    first = workflow.run_episodes((str(file),), tmp_path / "out", 1, progress=lambda *a: seen.append(a))
    assert [e["name"] for e in first["episodes"]] == ["mine_1989"] and not first["failed"]
    assert seen[0] == ("episodes", 0, 1) and seen[-1] == ("episodes", 1, 1)
    moved = first["episodes"][0]["response"]["FX_JPY"]["52"]
    assert moved[1] > 0.01
    written = json.loads((tmp_path / "out" / "episodes.json").read_text(encoding="utf-8"))
    assert written["episodes"] == json.loads(json.dumps(first["episodes"]))
    assert (tmp_path / "out" / "episodes.parquet").is_file()
    assert len(list((cache / "episodes").glob("*.json"))) == 1

    monkeypatch.setattr(workflow, "replay_file", lambda *_: pytest.fail("replayed although it was kept"))
    again = workflow.run_episodes((str(file),), None, 1)
    assert again["episodes"] == json.loads(json.dumps(first["episodes"]))
    assert repr(again["skill"]) == repr(first["skill"])  # NaN: nothing to leave out
    file.write_text(file.read_text(encoding="utf-8").replace("JPY = 0.05", "JPY = 0.06"), encoding="utf-8")
    monkeypatch.setattr(workflow, "replay_file", lambda *_: "asked again")
    assert workflow.run_episodes((str(file),), None, 1)["failed"] == {"mine_1989": "asked again"}


def test_unknown_and_doubled_names_are_told_together(tmp_path):
    file = own_file(tmp_path, "plaza_1985")
    with pytest.raises(InputError) as caught:
        workflow.run_episodes(("plaza_1895", "plaza_1985", str(file), str(tmp_path / "nowhere.toml")))
    message = str(caught.value)
    assert "plaza_1895" in message and "plaza_1985" in message  # a suggestion
    assert "named twice" in message and "no such episode file" in message


def test_a_date_before_the_data_is_a_reason_not_a_crash(tmp_path, cache):
    file = own_file(tmp_path, "early")
    text = file.read_text(encoding="utf-8").replace("1989-09-2", "1961-09-2")
    file.write_text(text, encoding="utf-8")
    result = workflow.run_episodes((str(file),), None, 1)
    assert set(result["failed"]) == {"early"} and len(result["failed"]["early"]) > 20
    assert result["episodes"] == [] and result["skill"] == []
    assert not list(cache.rglob("*.json"))


def test_processes_give_what_one_does(tmp_path, cache):
    """The pool's processes import the code afresh, with the full count of paths; a refusal travels back
    too."""
    own, early = own_file(tmp_path), own_file(tmp_path, "early")
    text = early.read_text(encoding="utf-8").replace("1989-09-2", "1961-09-2")
    early.write_text(text, encoding="utf-8")
    replay.PATHS, replay.DRAWS = 16_384, 512
    try:
        serial = workflow.run_episodes((str(own),), None, 1, resume=False)
        pooled = workflow.run_episodes((str(own), str(early)), None, 2, resume=False)
    finally:
        replay.PATHS, replay.DRAWS = PATHS, DRAWS
    assert serial["episodes"] == pooled["episodes"] and repr(serial["skill"]) == repr(pooled["skill"])
    assert len(serial["episodes"]) == 1 and set(pooled["failed"]) == {"early"}
