"""A run reads one version of the data store, names it, and can be repeated on it; what imports add to a world."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from imported_data import business_days, made_up, poisoned, series, write
from riskengine.base.errors import InputError
from riskengine.data.selection import active_store, use_store
from riskengine.market import MarketInput
from riskengine.workflows.build_world import check_as_of, load_history, quoted_volatility
from riskengine.workflows.check import check_everything
from riskengine.workflows.data_version import data_hashes, describe_data, on_one_version

AS_OF = "2024-12-16"
DAYS = business_days("2024-11-01", "2025-01-31")


def euro(value: float):
    return [series("DEXUSEU", DAYS, np.full(len(DAYS), value))]


def test_an_import_during_a_run_is_not_seen(tmp_path):
    first = write(tmp_path, euro(1.05))

    @on_one_version
    def run(step: float) -> tuple[str, float, str]:
        write(tmp_path, euro(1.05 + step))
        store = active_store()
        return store.version, float(store.read("DEXUSEU")[1][-1]), describe_data()["data_version"]

    assert run(0.01, data=tmp_path) == (first.version, 1.05, first.version)
    with use_store(tmp_path):
        assert run(0.02)[1] == 1.06  # the version in force when this run began
    assert run(0.03, data=tmp_path, data_version=first.version[:8])[0] == first.version
    with use_store(tmp_path):
        assert run(0.04, data_version=first.version)[1] == 1.05
    with pytest.raises(InputError, match="no such version"):
        run(0.0, data=tmp_path, data_version="0123456789")


def test_the_manifest_names_version_and_series(tmp_path):
    assert describe_data() == {"data_version": "embedded", "data_series": {}} and data_hashes() == {}
    with use_store(write(tmp_path, euro(1.05)).folder) as store:
        told = describe_data()
        assert told == {"data_version": store.version, "data_series": {"DEXUSEU": store.entry("DEXUSEU").sha256}}
        assert data_hashes() == {"data_version": store.version}


def test_vix_is_the_implied_volatility_unless_the_user_knows_better(tmp_path):
    write(tmp_path, [series("VIXCLS", DAYS, np.linspace(15, 25, len(DAYS)))])
    row = MarketInput("implied_vol.SP500", 0.3, None, "per sqrt(year)", "2024-12-16", "desk", False)
    assert quoted_volatility(AS_OF, {}) == {}
    with use_store(tmp_path) as store:
        found = quoted_volatility(AS_OF, {})["implied_vol.SP500"]
        assert found.value == store.read_as_of("VIXCLS", AS_OF)[1][-1] / 100 and found.date == AS_OF
        assert not found.assumed
        assert quoted_volatility(AS_OF, {row.id: row}) == {}
        old = dataclasses.replace(row, date="2024-12-13")
        assert quoted_volatility(AS_OF, {row.id: old})["implied_vol.SP500"].value == found.value
        assert quoted_volatility("2025-03-31", {}) == {}  # two months old


def test_replays_find_baskets_and_nothing_later(tmp_path):
    given = made_up()
    write(tmp_path / "honest", given)
    write(tmp_path / "spoilt", poisoned(given, AS_OF))
    found = []
    for name in ("honest", "spoilt"):
        with use_store(tmp_path / name):
            found.append((load_history(AS_OF), quoted_volatility(AS_OF, {})))
            check_as_of(AS_OF)
    (history, volatility), (other, other_volatility) = found
    assert volatility == other_volatility and history.keys() == other.keys()
    assert {"EQ_EXPORTERS", "EQ_IMPORTERS", "EQ_DOMESTIC", "EQ_LISTED_REAL_ESTATE"} < history.keys()
    for factor, (days, values) in history.items():
        assert np.array_equal(days, other[factor][0]) and np.array_equal(values, other[factor][1]), factor
        assert str(days[-1]) <= AS_OF
    assert str(history["EQ_SP500"][0][-1]) == AS_OF
    assert "EQ_EXPORTERS" not in load_history("2024-09-24")


def test_check_says_which_data(tmp_path):
    with use_store(write(tmp_path, made_up()).folder) as store:
        problems, remarks = check_everything(as_of="2024-12-16")
    text = "\n".join(remarks)
    assert not problems and f"version {store.version[:12]}" in text and "estimated, not quoted" in text
    assert "imported" not in "\n".join(check_everything(as_of="2024-09-24")[1])


def test_a_mistyped_data_folder_is_refused_instead_of_answering_from_embedded_data(tmp_path):
    @on_one_version
    def run() -> str:
        return active_store().version

    with pytest.raises(InputError, match="no such folder"):
        run(data=tmp_path / "nothing_here")
    assert run(data=tmp_path) == "embedded"
