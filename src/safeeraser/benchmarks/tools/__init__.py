"""Check, fix, show and export a benchmark."""
