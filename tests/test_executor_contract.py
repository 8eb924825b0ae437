"""Executors: lists cut in order, what is small stays here, a function travels to a cluster once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.execution import Executor, Serial, Threads, in_batches


@given(st.lists(st.integers(), max_size=50), st.integers(1, 12))
def test_batches_keep_every_item_in_order(items, most):
    batches = in_batches(items, most)
    assert [x for batch in batches for x in batch] == items
    assert len(batches) <= most and all(batches)
    if batches:
        assert max(map(len, batches)) - min(map(len, batches)) <= 1


def test_what_runs_here_says_so():
    with Threads(3) as threads:
        for executor, count in ((Serial(), 1), (threads, 3)):
            assert isinstance(executor, Executor)
            assert executor.here is executor and executor.count == count and not executor.remote


class Counted:
    """A function that says how often it was pickled; the calls come from another process."""

    sent = 0

    def __init__(self, add: int):
        self.add = add

    def __reduce__(self):
        type(self).sent += 1
        return Counted, (self.add,)

    def __call__(self, item: int) -> int:
        return item + self.add


def test_a_cluster_is_sent_a_function_once():
    pytest.importorskip("distributed", reason="dask is not installed")
    from riskengine.execution import Dask

    with Dask(workers=2) as dask:
        assert dask.remote and dask.count == 2 and isinstance(dask, Executor)
        assert not dask.here.remote and dask.here is dask.here
        function = Counted(10)
        assert dask.map(function, range(3)) == [10, 11, 12]
        sent = Counted.sent
        for _ in range(3):
            assert dask.map(function, range(3)) == [10, 11, 12]
        assert Counted.sent == sent, "the same function travels once"
        assert dask.map(Counted(20), range(2)) == [20, 21]
        assert Counted.sent > sent
