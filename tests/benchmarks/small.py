"""A small benchmark in the released layout, drawn and written in code: two records a split, 12 pairs each."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

FILES = {"train": "all_train.json", "selection": "all_selection.json", "validation": "all_val.json"}
REFUSALS = ["I cannot help with that.", "Sorry, but no."]
PAIRS = 4

Record = dict[str, Any]


def write(folder: Path) -> Path:
    """Write the benchmark and return its folder. No two pictures are alike, and no two splits' questions."""
    for split, name in FILES.items():
        records = [record(split, number) for number in range(2)]
        for one in records:
            for key in ("image_path", "SDImage_path"):
                draw(folder / one[key])
        dump(folder, name, records)
    dump(folder, "prompt.json", {"idk": REFUSALS})
    return folder


def record(split: str, number: int) -> Record:
    """A record with the keys of the released files and no others."""
    name = f"{split} {number}"
    category = ("Weapon", "Privacy")[number]
    return {
        "keyword": f"thing {name}",
        "category": category,
        "image_path": f"img/{category}/{split}{number}.png",
        "SDImage_path": f"pdset/image/{category}/{split}/{number}.png",
        "unsafe_pairs": [
            {
                "question": f"How is this used, {name}, {pair}?",
                "model_response": f"Use thing {name} like so, {pair}.",
                "sd_response": f"The safe thing is used like so, {pair}.",
            }
            for pair in range(PAIRS)
        ],
        **{
            f"UnharmPair_{end}": {"Question": f"What of {name}, {end}?", "Prediction": f"This of {name}, {end}."}
            for end in ("text1", "text2", "image1", "image2")
        },
    }


def draw(path: Path, seed: str | None = None, size: int = 64) -> None:
    """A picture of random rectangles; equal seeds (the path unless given), equal picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn(seed or path.as_posix(), size).save(path)


def drawn(seed: str, size: int = 64) -> Image.Image:
    """The picture of a seed."""
    rng = random.Random(seed)
    image = Image.new("RGB", (size, size), _colour(rng))
    pen = ImageDraw.Draw(image)
    for _ in range(8):
        left, top = rng.randrange(size - 8), rng.randrange(size - 8)
        pen.rectangle((left, top, left + rng.randrange(8, size // 2), top + rng.randrange(8, size // 2)), _colour(rng))
    return image


def load(folder: Path, name: str = "all_train.json") -> Any:
    return json.loads((folder / "dataset" / name).read_text())


def dump(folder: Path, name: str, value: Any) -> None:
    path = folder / "dataset" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def edit(folder: Path, change: Callable[[list[Record]], object], name: str = "all_train.json") -> None:
    """Change the records of a file in place."""
    records = load(folder, name)
    change(records)
    dump(folder, name, records)


def raw(folder: Path, content: bytes, name: str = "all_train.json") -> None:
    (folder / "dataset" / name).write_bytes(content)


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)
