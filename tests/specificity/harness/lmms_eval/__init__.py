"""The part of lmms-eval 0.7 that the package uses, for tests where the real one is not installed."""
