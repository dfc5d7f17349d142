"""SafeEraser: make a multimodal LLM stop answering harmful image+text requests, and prove it."""

__version__ = "0.1.0"
