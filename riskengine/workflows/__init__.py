"""Workflows: where the rooms are joined into a night, a comparison, an estimation, a backtest."""
