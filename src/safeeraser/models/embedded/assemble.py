"""Put the parts together: a LLaVA (arXiv 2304.08485) of a DINOv2 tower, a projector and SmolLM2."""

import hashlib
from functools import partial
from pathlib import Path

import torch
from transformers import (
    BitImageProcessorPil,
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from safeeraser.models.embedded.cache import built_once, cache_folder
from safeeraser.models.embedded.fetch import LANGUAGE, VISION, fetch
from safeeraser.models.embedded.language import language_model, tokenizer
from safeeraser.models.embedded.vision import vision_tower

IMAGE_SIZE = 112
"""Side of the square pictures the model sees, in pixels; 14 px a patch, so 64 picture tokens."""

_HERE = Path(__file__).parent
_SEED = 233


def base(cache: Path | None = None) -> Path:
    """Return the folder of the assembled model before any training: pretrained parts and a random (seeded) projector.

    Built on first use, which fetches the parts (about 200 MB). Raises FetchError if they cannot be had.
    """

    def build(folder: Path) -> None:
        save(assemble(fetch(LANGUAGE, cache), fetch(VISION, cache)), processor(fetch(LANGUAGE, cache)), folder)

    return built_once(cache_folder(cache) / "models" / f"tiny-base-{_recipe_hash()}", build)


def assemble(language: Path, vision: Path) -> LlavaForConditionalGeneration:
    """Return the model made of a GGUF and an ONNX file, in fp32, with a random projector that is always the same."""
    tower, lm = vision_tower(vision), language_model(language)
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=lm.config,
        image_token_id=16,
        image_seq_length=(IMAGE_SIZE // tower.config.patch_size) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        model = LlavaForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(tower.state_dict())
    model.model.language_model.load_state_dict(lm.model.state_dict())
    model.tie_weights()
    model.generation_config = GenerationConfig(
        do_sample=False, bos_token_id=lm.config.bos_token_id, eos_token_id=lm.config.eos_token_id, pad_token_id=0
    )
    return model.eval()


def processor(language: Path) -> LlavaProcessor:
    """Return what turns pictures and chats into the model's inputs: ImageNet normalisation, no system prompt."""
    side = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    return LlavaProcessor(
        BitImageProcessorPil(
            size=side,
            crop_size=side,
            do_center_crop=False,
            image_mean=IMAGENET_DEFAULT_MEAN,
            image_std=IMAGENET_DEFAULT_STD,
        ),
        tokenizer(language),
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # the class token, which the strategy drops again
        chat_template=(_HERE / "chat_template.jinja").read_text(encoding="utf-8"),
    )


def save(model: LlavaForConditionalGeneration, processor: LlavaProcessor, folder: Path) -> None:
    """Write an ordinary model folder, loadable with the Auto classes of transformers."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _recipe_hash() -> str:
    """Name what the model is made of, so that another version of the recipe never meets this one's cache."""
    recipe = [_HERE / name for name in ("assemble.py", "fetch.py", "language.py", "vision.py", "chat_template.jinja")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in recipe)).hexdigest()[:12]
