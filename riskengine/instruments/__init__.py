"""The book: instruments, portfolios, valuation today and on every path, exposures. Nothing here reads a file."""
