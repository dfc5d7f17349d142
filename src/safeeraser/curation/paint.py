"""Safe pictures by a text-to-image model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image

from safeeraser.curation.findings import Gate
from safeeraser.curation.pictures import Listed
from safeeraser.curation.prompts import Prompts
from safeeraser.curation.store import Entry, Store, content_key
from safeeraser.errors import UserError, explained
from safeeraser.files import whole_file
from safeeraser.progress import ProgressBar
from safeeraser.provenance import file_hash

_ARTICLE = re.compile(r"^(?:an?|the|some) ", re.IGNORECASE)


class Painter(Protocol):
    """A text-to-image model. `name` stands for all that its pictures depend on, but for prompt and seed."""

    name: str

    def paint(self, prompt: str, seed: int) -> Image.Image | None:
        """A picture; None where the model's own safety checker withheld it."""


class Diffusion:
    """A diffusers pipeline: any model that `AutoPipelineForText2Image` loads, from safetensors only.

    Raises UserError where diffusers is not installed or the model cannot be loaded.
    """

    def __init__(self, model: str, *, steps: int) -> None:
        self.name = f"diffusers {model} steps={steps}"
        self._steps = steps
        self._pipeline = _load(model)

    def paint(self, prompt: str, seed: int) -> Image.Image | None:
        """A picture from noise of its own: the same for the same prompt and seed on the same machine."""
        generator = torch.Generator().manual_seed(seed)
        made = self._pipeline(prompt=prompt, num_inference_steps=self._steps, generator=generator)
        withheld = getattr(made, "nsfw_content_detected", None)
        image: Image.Image = made.images[0]
        return None if withheld and withheld[0] else image


def paint_all(
    count: int, painter: Painter, prompts: Prompts, seed: int, store: Store, folder: Path, gate: Gate
) -> list[Listed]:
    """`count` pictures in `folder`, their subjects in turn; those that are there already are not painted again."""
    jobs = _jobs(count, painter.name, prompts, seed)
    todo = [job for job in jobs if not _there(store, job[0], folder)]
    if todo:
        with ProgressBar("safe pictures", count, done=count - len(todo)) as bar:
            for key, item, prompt, number in todo:
                image = painter.paint(prompt, number)
                store.add([_withheld(key, item) if image is None else _save(image, key, item, folder)])
                bar.advance()
    found = []
    for key, item, _, _ in jobs:
        if _there(store, key, folder):
            found.append(Listed(folder / f"{key}.png", item, "", _ARTICLE.sub("", item.partition(": ")[2])))
        else:
            gate.passes(item, None, "image", "withheld by the model's safety checker", cost="picture")
    return found


def _jobs(count: int, name: str, prompts: Prompts, seed: int) -> Sequence[tuple[str, str, str, int]]:
    """Key, name, prompt and seed of each picture."""
    jobs = []
    for number in range(count):
        subject = prompts.subjects[number % len(prompts.subjects)]
        prompt, own = prompts.picture(subject), seed + number
        key = content_key(painter=name, prompt=prompt, seed=own)
        jobs.append((key, f"painted {number + 1}: {subject}", prompt, own))
    return jobs


def _there(store: Store, key: str, folder: Path) -> bool:
    """Whether the picture is on the disk as it was painted."""
    entry, path = store.get(key), folder / f"{key}.png"
    return entry is not None and path.is_file() and file_hash(path) == entry.value


def _withheld(key: str, item: str) -> Entry:
    return Entry(key, item, failure="withheld by the model's safety checker")


def _save(image: Image.Image, key: str, item: str, folder: Path) -> Entry:
    target = folder / f"{key}.png"
    with whole_file(target) as scratch:
        image.convert("RGB").save(scratch, "PNG")
    return Entry(key, item, file_hash(target))


def _load(model: str) -> Any:
    try:
        from diffusers import AutoPipelineForText2Image  # noqa: PLC0415  an optional extra
    except ImportError as error:
        raise UserError("safe.model needs diffusers: pip install 'safeeraser[pictures]'") from error
    cuda = torch.cuda.is_available()
    dtype = torch.bfloat16 if cuda else torch.float32
    with explained(f"safe.model {model}"):
        pipeline = AutoPipelineForText2Image.from_pretrained(
            model, torch_dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
    return pipeline.to("cuda" if cuda else "cpu")
