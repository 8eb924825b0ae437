"""The laboratory: the only place with statsmodels and arch."""
