"""Hedges: the sizes of given instruments that make a book's tail smallest, after the cost of trading them."""
