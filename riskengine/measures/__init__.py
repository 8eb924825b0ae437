"""Risk measures as free functions on P&L vectors: tails, contributions, plausibility, liquidity, limits."""
