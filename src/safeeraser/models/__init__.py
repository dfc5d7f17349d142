"""Multimodal models: load, chat template, vision features, adapters, and the embedded model `tiny`."""

MODELS = {
    "tiny": "DINOv2-small + SmolLM2-135M, put together on first use (about 200 MB to fetch)",
    "FOLDER": "a model that transformers' AutoModelForImageTextToText loads",
    "OWNER/NAME": "the same from the Hugging Face hub",
}
"""What names a model, and what it is; those in capitals stand for any such name."""
