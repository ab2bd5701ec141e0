"""Floor 3: generation engines, judges and benchmark suites."""
