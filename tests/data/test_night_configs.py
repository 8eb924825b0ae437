"""nightly.toml and limits.toml at the door."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskengine.base.errors import InputError
from riskengine.base.sampling import RunSpec
from riskengine.data.configs import (
    check_limits, check_nightly_config, config_root, find_config, load_limits, load_nightly_config,
)
from riskengine.data.configs import folders
from riskengine.policy.night import LIMIT_METRICS


def test_the_shipped_night_reads_and_names_files_that_exist():
    config = load_nightly_config(config_root() / "nightly.toml")
    assert config.run == RunSpec()  # the shipped file and the type agree on every default
    assert config.horizons_days == (1, 10) and config.position_level in config.run.levels
    assert config.limits == config_root() / "limits.toml" and config.limits.is_file()
    assert config.portfolio.parent == config_root() / "portfolios"
    assert len(config.scenarios) >= 20 and all(file.is_file() for file in config.scenarios)
    assert config.as_of is None and config.accounts == "as_of"
    assert config.far_levels == (0.99, 0.999) and config.far_paths == 32_768


def test_the_shipped_limits_have_warnings_below_hard_levels_and_units():
    limits = load_limits()
    assert {"var", "es", "scenario_loss", "dv01", "fx_net", "fx_single"} <= {limit.metric for limit in limits}
    assert any(limit.scope == "desk" for limit in limits)
    for limit in limits:
        assert 0 < limit.warning < limit.hard
        assert limit.unit == LIMIT_METRICS[limit.metric][0]


GOOD = 'portfolio = "p.csv"\n'
BAD_NIGHTS = [
    ("paths = 1000", "paths", ["multiple of the 512 parameter draws", "1024"]),
    ("draws = 500", "draws", ["power of two"]),
    ("seed = -1", "seed", ["2**63"]),
    ('noise = "levy"', "noise", ["unknown noise 'levy'", "filtered_historical", "student_t"]),
    ('precision = "float16"', "precision", ["float32", "float64"]),
    ("levels = [99]", "levels[1]", ["99 looks like percent: write 0.99"]),
    ("levels = [0.95]", "", ["position_level must be one of levels", "0.95"]),
    ("levels = []", "levels", ["at least 1 item"]),
    ("far_levels = [99.9]", "far_levels[1]", ["99.9 looks like percent: write 0.999"]),
    ("far_levels = [1.0]", "far_levels[1]", ["0.5 (excluded) to 1 (excluded)"]),
    ("far_paths = 1000", "far_paths", ["multiple of the 512 parameter draws", "1024"]),
    ("horizons_days = [10, 1]", "horizons_days", ["ascending"]),
    ("horizons_days = [1, 10, 60]", "horizons_days", ["1 to 20"]),
    ('as_of = "yesterday"', "as_of", ["not a date", "YYYY-MM-DD"]),
    ("as_of = 2024", "as_of", ["text in quotes"]),
    ('accounts = "newest"', "accounts", ["unknown accounts 'newest'", "as_of, latest"]),
    ('scenarios = ["mar_a_lago"]', "scenarios", ["unknown scenario", "mar_a_lago_accord"]),
    ('scenarios = ["tariffs", "tariffs"]', "scenarios", ["named twice"]),
    ("scenarios = 5", "scenarios", ["must be a list"]),
    ("threads = 0", "threads", ["greater than or equal to 1"]),
    ("thread = 2", "thread", ["unknown key", "threads"]),
    ("parameter_uncertainty = \"yes\"", "parameter_uncertainty", ["true or false"]),
]


@pytest.mark.parametrize(("line", "field", "words"), BAD_NIGHTS, ids=lambda x: str(x)[:40])
def test_a_malformed_night(tmp_path, line, field, words):
    file = tmp_path / "nightly.toml"
    file.write_text(GOOD + line + "\n", encoding="utf-8")
    config, found = check_nightly_config(file)
    assert config is None
    problem = found[0]
    assert problem.file == str(file)
    assert problem.field.split("[")[0] == field.split("[")[0]
    assert problem.row == (2 if field else None)
    for word in words:
        assert word in str(problem), str(problem)


def test_every_problem_of_a_night_at_once(tmp_path):
    file = tmp_path / "nightly.toml"
    file.write_text('portfolio = ""\nscenarios = ["nope"]\nthreads = 0\nseed = "x"\n', encoding="utf-8")
    with pytest.raises(InputError) as raised:
        load_nightly_config(file)
    assert [p.field for p in raised.value.problems] == ["portfolio", "scenarios", "threads", "seed"]
    assert [p.row for p in raised.value.problems] == [1, 2, 3, 4]


def test_paths_count_from_the_config_and_shipped_files_fill_in(tmp_path):
    file = tmp_path / "nightly.toml"
    file.write_text('portfolio = "mine.csv"\nscenarios = ["tariffs"]\nlimits = "limits.toml"\n')
    config = load_nightly_config(tmp_path)  # the folder stands for its nightly.toml
    assert config.portfolio == tmp_path / "mine.csv"  # not there, so its own name is what a message will show
    assert config.limits == config_root() / "limits.toml"
    assert config.scenarios == (config_root() / "scenarios" / "tariffs.toml",)
    (tmp_path / "limits.toml").write_text("", encoding="utf-8")
    assert load_nightly_config(file).limits == tmp_path / "limits.toml"


def test_the_config_here_goes_before_the_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config() == config_root() / "nightly.toml"
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "nightly.toml").write_text(GOOD, encoding="utf-8")
    assert find_config() == Path("configs/nightly.toml")
    assert find_config(tmp_path / "configs") == tmp_path / "configs" / "nightly.toml"


def test_the_wheels_copy_is_used_where_there_is_no_checkout(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "riskengine"
    (package / "_configs").mkdir(parents=True)
    monkeypatch.setattr(folders, "_PACKAGE", package)
    with pytest.raises(InputError, match="_configs"):
        config_root()
    (package / "_configs" / "nightly.toml").write_text("", encoding="utf-8")
    assert config_root() == package / "_configs"


BAD_LIMITS = [
    ('metric = "var"\nlevel = 99\nhorizon_days = 1', "limits[1].level", ["write 0.99"]),
    ('metric = "var"', "limits[1]", ["needs level and horizon_days"]),
    ('metric = "dv01"\nlevel = 0.99', "limits[1]", ["takes no level"]),
    ('metric = "varr"', "limits[1].metric", ["unknown metric 'varr'", "var", "scenario_loss"]),
    ('metric = "fx_net"\nscope = "book"', "limits[1]", ["unknown scope 'book'", "desk:<name>"]),
    ('metric = "scenario_loss"\nscope = "desk"', "limits[1]", ["for the total only"]),
    ('metric = "dv01"\nhorizon = 1', "limits[1].horizon", ["unknown key", "horizon_days"]),
]


@pytest.mark.parametrize(("lines", "field", "words"), BAD_LIMITS, ids=lambda x: str(x)[:40])
def test_a_malformed_limit(tmp_path, lines, field, words):
    file = tmp_path / "limits.toml"
    file.write_text(f'[[limits]]\nname = "x"\nwarning = 1\nhard = 2\n{lines}\n', encoding="utf-8")
    limits, (problem,) = check_limits(file)
    assert limits == () and problem.field == field and problem.row >= 1
    for word in words:
        assert word in str(problem), str(problem)


def test_limits_levels_are_ordered_and_names_are_unique(tmp_path):
    file = tmp_path / "limits.toml"
    one = '[[limits]]\nname = "x"\nmetric = "dv01"\nwarning = {}\nhard = {}\n'
    tables = (one.format(3, 2), one.format(1, 2), one.format(-1, 2), one.format(1, 3))
    file.write_text("".join(tables) + "limit = 1\n")
    _, found = check_limits(file)
    assert [p.row for p in found] == [1, 11, 21]
    assert "warning ≤ hard" in found[0].rule and "unknown key" in found[2].rule
    file.write_text(one.format(1, 2) + one.format(1, 2))
    _, (problem,) = check_limits(file)
    assert "two limits of one name" in problem.rule and problem.row == 7
