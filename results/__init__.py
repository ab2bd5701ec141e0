"""Floor 1: the store, statistics and tables. Knows no torch."""
