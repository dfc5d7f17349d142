"""Multimodal models: load, chat template, vision features, adapters, and the embedded model `tiny`."""
