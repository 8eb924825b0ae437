"""The book: instruments, portfolios, valuation today and on every path, exposures. No disk."""
