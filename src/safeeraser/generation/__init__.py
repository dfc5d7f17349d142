"""Model and examples -> Generations: with transformers, in batches and on several devices, or from a server."""
