"""How fast, against what, which size: workloads W1 to W3, NumPy peers of the same work, synthetic books."""
