"""The court: coverage and episodes."""
