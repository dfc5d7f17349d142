"""Training as this package does it, against training as the paper's recipe has it (arXiv 2502.12520)."""
