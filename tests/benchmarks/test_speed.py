"""Speed, outside the default run (pytest tests/benchmarks): every workload beats NumPy in a quick run."""

import pytest

from riskengine.benchmark.run import ENGINE, NUMPY, WORKLOADS, run_benchmark


@pytest.mark.parametrize("workload", WORKLOADS)
def test_faster_than_numpy(workload):
    results = {r["case"]: r for r in run_benchmark([workload], quick=True)["results"]}
    assert results[NUMPY]["ratio"] > 2.0
    assert results[ENGINE]["peak_mb"] < 450
