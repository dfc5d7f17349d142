"""The real parts and the real model, fetched and built once into the user's cache; offline from then on."""

from pathlib import Path

import pytest
from transformers import AutoModelForImageTextToText, AutoProcessor, Dinov2Model, LlamaForCausalLM

from safeeraser.models.tiny import base
from safeeraser.models.tiny.fetch import LANGUAGE, VISION, fetch
from safeeraser.models.tiny.language import language_model
from safeeraser.models.tiny.vision import vision_tower


@pytest.fixture(scope="session")
def gguf_file() -> Path:
    return fetch(LANGUAGE)


@pytest.fixture(scope="session")
def onnx_file() -> Path:
    return fetch(VISION)


@pytest.fixture(scope="session")
def parts(gguf_file: Path, onnx_file: Path) -> tuple[LlamaForCausalLM, Dinov2Model]:
    return language_model(gguf_file), vision_tower(onnx_file)


@pytest.fixture(scope="session")
def folder() -> Path:
    return base()


@pytest.fixture(scope="session")
def processor(folder: Path):
    return AutoProcessor.from_pretrained(folder)


@pytest.fixture(scope="session")
def model(folder: Path):
    return AutoModelForImageTextToText.from_pretrained(folder).eval()
