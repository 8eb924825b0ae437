"""Axes, units, dates, estimates, sampling specifications and errors: what every room speaks."""
