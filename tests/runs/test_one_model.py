"""One model after another, of which a picture is seen once as long as they see alike."""

from dataclasses import replace
from pathlib import Path

import pytest

from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.models.vision import VisionFeatures
from safeeraser.runs.folder import RunFolder
from safeeraser.runs.one_model import OneModel
from tests import tiny_random

SEEING, BLIND = Path("trains-the-tower"), Path("leaves-it-alone")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OneModel:
    monkeypatch.setattr(RunFolder, "note_model", lambda *_: None)

    def load(adapter: Path | None, _dtype: str) -> LoadedModel:
        loaded = replace(tiny_random.load(), adapter=adapter)
        if adapter == SEEING:
            next(loaded.model.model.vision_tower.parameters()).data.add_(1)
        return loaded

    return OneModel(load, RunFolder(tmp_path), lambda _: None)


def looks(loaded: LoadedModel, images: list[Path]) -> int:
    """How often the model's tower is asked for these pictures."""
    seen: list[int] = []
    hook = loaded.model.model.vision_tower.register_forward_hook(lambda *_: seen.append(1))
    VisionFeatures(loaded.model, ChatTokenizer.of(loaded), loaded.features).inputs(images)
    hook.remove()
    return len(seen)


def test_the_next_model_does_not_look_again(model: OneModel, tmp_path: Path) -> None:
    images = list(dict.fromkeys(each.image for each in tiny_random.examples(tmp_path, 3) if each.image))
    assert looks(model.get(), images) == len(images)
    assert looks(model.get(BLIND), images) == 0
    assert looks(model.get(SEEING), images) == len(images)
    assert looks(model.get(), images) == len(images)
