"""The released SafeEraser layout (arXiv 2502.12520): records, examples, and the authors' answer files."""
