"""Reverse stress: the most plausible shock that loses a given amount, in factor moves and in policies."""
