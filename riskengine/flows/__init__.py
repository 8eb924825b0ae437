"""Flows: who holds what, who sells, who absorbs, and what the balance of payments does about it."""
