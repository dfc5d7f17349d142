"""Benchmarks: data sets of all kinds read as examples, checked, mended, shown and exported."""
