"""One contract for every executor: order, errors, the same bits."""

import functools
import os
import signal
import threading
import time

import numpy as np
import pytest

from riskengine.base.errors import InputError
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.execution import Dask, Executor, Serial, Threads
from riskengine.simulation import chunks, simulate_noise
from test_simulation_noise import make_model


@pytest.fixture(scope="module")
def dask():
    pytest.importorskip("distributed")
    with Dask(workers=2) as executor:
        yield executor


@pytest.fixture(params=["serial", "threads", "dask"])
def executor(request):
    if request.param == "dask":
        yield request.getfixturevalue("dask")
        return
    with Serial() if request.param == "serial" else Threads(2) as made:
        yield made


def noise_of(model, spec, chunk):
    return simulate_noise(model, Horizon(3, 5), spec, chunk)[0]


def wait_for_its_value(x):
    time.sleep(0.05 * (5 - x))
    return x * x


def fail_at_three(x):
    if x == 3:
        raise ValueError("three")
    return x


def die_once(marker, x):
    """The first worker that comes here kills itself."""
    if x == 2:
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            return x
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def test_results_come_in_the_order_of_the_items(executor):
    assert isinstance(executor, Executor)
    assert executor.map(wait_for_its_value, range(6)) == [0, 1, 4, 9, 16, 25]
    assert executor.map(wait_for_its_value, ()) == []


def test_an_error_of_a_task_is_raised(executor):
    with pytest.raises(ValueError, match="three"):
        executor.map(fail_at_three, range(6))
    assert executor.map(wait_for_its_value, [4]) == [16], "usable after an error"


def test_the_same_bits_everywhere(executor):
    model, spec = make_model(), RunSpec(paths=2048)
    function = functools.partial(noise_of, model, spec)
    expected = np.concatenate(Serial().map(function, chunks(spec, 2048)), axis=1)
    got = np.concatenate(executor.map(function, chunks(spec, 500)), axis=1)
    assert np.array_equal(got, expected)


def test_threads_run_together():
    with Threads(2) as executor:
        barrier = threading.Barrier(2, timeout=10)
        executor.map(lambda _: barrier.wait(), range(2))


def test_no_threads_are_refused():
    with pytest.raises(InputError, match="at least 1"):
        Threads(0)


def test_a_worker_that_dies_loses_nothing(dask, tmp_path):
    marker = tmp_path / "died"
    assert dask.map(functools.partial(die_once, marker), range(6)) == list(range(6))
    assert marker.exists()


def test_no_scheduler_is_one_message():
    pytest.importorskip("distributed")
    with pytest.raises(InputError, match="scheduler"):
        Dask("tcp://127.0.0.1:9", timeout=2)
