"""How fast, against what, and at which size: workloads W1 to W3, NumPy peers of the same work, synthetic books."""
