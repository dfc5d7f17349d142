"""Neutral pictures: made of the safe ones of training alone, and answered by the model before unlearning."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from unittest.mock import patch

import pytest
from PIL import Image
from safetensors.torch import load_file

from safeeraser.errors import UserError
from safeeraser.records import Example, Split, Stream
from safeeraser.unlearning import neutral
from safeeraser.unlearning.neutral import draw, with_neutral
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.unlearning.worker import answers_that_end

SETTINGS = UnlearnSettings(steps=3, batch_size=4, learning_rate=1e-2, lora_r=4, lora_alpha=8, lora_dropout=0.0)
METHOD = "po+pd+neutral"


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    return tiny_random.examples(tmp_path)


@pytest.fixture(autouse=True)
def short() -> Iterator[None]:
    with answers_that_end(tokens=6):
        yield


def made(examples: list[Example], folder: Path, share: float = 1.0, seed: int = 1, forms: float = 0.0) -> list[Example]:
    return with_neutral(tiny_random.load(), examples, examples, share, forms, seed, folder)


def test_every_decoupled_example_has_another_picture_and_what_the_model_says_about_it(
    examples: list[Example], tmp_path: Path
) -> None:
    found = made(examples, tmp_path / "neutral")
    for before, after in zip(examples, found, strict=True):
        if before.stream is not Stream.DECOUPLED:
            assert after == before
            continue
        assert after.image is not None
        assert after.image.parent == tmp_path / "neutral" / "pictures"
        assert after == replace(before, image=after.image, answer=after.answer)
        assert after.answer != before.answer
    answers = [json.loads(line)["answer"] for line in (tmp_path / "neutral/answers.jsonl").read_text().splitlines()]
    assert sorted(answers) == sorted(each.answer for each in found if each.stream is Stream.DECOUPLED)


def test_pictures_show_safe_pictures_of_training_only(examples: list[Example], tmp_path: Path) -> None:
    white = tmp_path / "validation.png"
    Image.new("RGB", (28, 28), "white").save(white)
    asked = replace(examples[1], id="v", split=Split.VALIDATION, image=white)
    for forms in (0.0, 1.0):
        both, training = (tmp_path / f"{name}{forms}" for name in ("both", "training"))
        with_neutral(tiny_random.load(), [*examples, asked], examples, 1.0, forms, 1, both)
        made(examples, training, forms=forms)
        assert pictures(both) == pictures(training)


def test_a_share_of_them_are_forms(tmp_path: Path) -> None:
    paths = gradients(tmp_path)
    with patch.object(neutral, "draw_forms", return_value=Image.new("RGB", (1, 1))):
        for forms, least, most in ((0.0, 0, 0), (0.5, 70, 130), (1.0, 200, 200)):
            drawn = [draw(paths, forms, random.Random(number)) for number in range(200)]
            assert least <= sum(each.size == (1, 1) for each in drawn) <= most


@pytest.mark.parametrize(("seed", "sha"), [(1, "7022ee4d5c2d2ccb"), (3, "856dd011d51e9703"), (5, "62534f1446bb16e6")])
def test_without_forms_they_are_what_they_were_before_there_were_any(tmp_path: Path, seed: int, sha: str) -> None:
    """Results that were published stay what they are. The seeds are of pictures that no resampling rounds."""
    drawn = draw(gradients(tmp_path), 0.0, random.Random(seed))
    assert hashlib.sha256(drawn.tobytes()).hexdigest()[:16] == sha


def gradients(folder: Path) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        turned = Image.linear_gradient("L").rotate(90 * number)
        turned.resize((28, 28), Image.Resampling.NEAREST).convert("RGB").save(path)
    return paths


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "pictures").iterdir()}


def test_a_larger_share_has_those_of_a_smaller_one(tmp_path: Path) -> None:
    many = tiny_random.examples(tmp_path, 40)
    half, most = (changed(many, made(many, tmp_path / str(share), share)) for share in (0.5, 0.75))
    assert 10 <= len(half) < len(most) < 40
    assert half < most
    assert changed(many, made(many, tmp_path / "other", 0.5, seed=2)) != half


def changed(before: list[Example], after: list[Example]) -> set[str]:
    return {one.id for one, other in zip(before, after, strict=True) if one != other}


def test_examples_without_a_picture_and_a_share_of_nothing_leave_all_as_it_is(
    examples: list[Example], tmp_path: Path
) -> None:
    assert made(examples, tmp_path / "neutral", share=1e-9) == examples
    blind = [replace(each, image=None) if each.id in ("d0", "d1") else each for each in examples]
    assert changed(blind, made(blind, tmp_path / "some")) == {"d2", "d3", "d4", "d5"}


def test_what_is_drawn_depends_on_the_seed_alone(examples: list[Example], tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    assert [each.answer for each in made(examples, one)] == [each.answer for each in made(examples, two)]
    made(examples, other, seed=2)
    assert pictures(one) == pictures(two) != pictures(other)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (200, 10), (2000, 1500)])
def test_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    Image.effect_noise(size, 90).convert("RGB").save(paths[0])
    Image.linear_gradient("L").convert("RGB").save(paths[1])
    for number in range(20):
        drawn = draw(paths, number % 2, random.Random(number))
        assert drawn.mode == "RGB"
        assert max(drawn.size) <= 1024
        assert min(drawn.size) >= 1


@pytest.mark.parametrize("changes", [{"finish": "length"}, {"answer": " \n"}, {"answer": "I'm sorry, I can't help."}])
def test_what_does_not_answer_is_not_trained_on(
    examples: list[Example], tmp_path: Path, changes: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with answers_that_end(tokens=6, **changes), pytest.raises(UserError, match="6 of 6 neutral pictures are left out"):
        made(examples, tmp_path / "all")
    with patch.object(neutral, "_answers", side_effect=[True, *5 * [False]]):
        assert len(changed(examples, made(examples, tmp_path / "some"))) == 1
    assert "5 of 6 neutral pictures are left out" in caplog.text


def test_without_a_safe_picture_there_is_nothing_to_cut_up(examples: list[Example], tmp_path: Path) -> None:
    blind = [replace(each, image=None) if each.stream is Stream.DECOUPLED else each for each in examples]
    with pytest.raises(UserError, match=r"po\+pd\+neutral: training shows no safe pictures"):
        unlearn(tiny_random.load(), blind, tiny_random.REFUSALS, METHOD, SETTINGS, tmp_path / "out")


def test_no_picture_is_a_safe_one_as_it_is(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        Image.effect_noise((28, 28), 90).convert("RGB").save(path)
    whole = {Image.open(path).tobytes() for path in paths}
    for few, forms in product((1, 2, 3), (0.0, 0.5)):
        assert not whole & {draw(paths[:few], forms, random.Random(number)).tobytes() for number in range(60)}


def test_where_the_model_names_a_harmful_thing_it_is_not_taught_to_answer(
    examples: list[Example], tmp_path: Path
) -> None:
    named = [replace(each, keyword="money bag") if each.stream is Stream.FORGET else each for each in examples]
    with answers_that_end(tokens=6, answer="Keep the bag of money dry."):
        assert len(changed(named, made(named, tmp_path / "other"))) == 6
    with (
        answers_that_end(tokens=6, answer="Keep the Money Bags dry."),
        pytest.raises(UserError, match="6 of 6 neutral pictures are left out: the model names a harmful thing"),
    ):
        made(named, tmp_path / "named")


def test_a_training_uses_them_and_says_how_many(examples: list[Example], tmp_path: Path) -> None:
    plain, first, mdpo = (tmp_path / name for name in ("plain", "first", "mdpo"))
    for method, folder in (("po+pd", plain), (METHOD, first), ("mdpo+pd+neutral", mdpo)):
        unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, method, SETTINGS, folder)
    manifest = json.loads((first / "manifest.json").read_text())
    assert manifest["inputs"]["neutral"] == 0.5
    assert manifest["neutral_pictures"] == len(list((first / "neutral" / "pictures").iterdir())) > 0
    assert not same(plain, first)


def test_a_training_draws_forms_where_its_options_say_so(examples: list[Example], tmp_path: Path) -> None:
    train = partial(unlearn, tiny_random.load(), examples, tiny_random.REFUSALS, METHOD)
    for forms in (0.0, 1.0):
        train(SETTINGS.changed(options={"forms": forms}), tmp_path / str(forms))
        assert json.loads((tmp_path / str(forms) / "manifest.json").read_text())["inputs"].get("forms", 0.0) == forms
    without, drawn = (pictures(tmp_path / str(forms) / "neutral") for forms in (0.0, 1.0))
    assert without.keys() == drawn.keys()
    assert not {*without.values()} & {*drawn.values()}


@pytest.mark.parametrize("place", ["generate", "draw"])
def test_a_training_that_was_stopped_before_its_first_step_comes_to_the_same(
    examples: list[Example], tmp_path: Path, place: str
) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    train = partial(unlearn, tiny_random.load(), examples, tiny_random.REFUSALS, METHOD)
    with patch.object(neutral, place, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        train(SETTINGS, stopped)
    for folder in (straight, stopped):
        train(SETTINGS, folder)
    assert same(straight, stopped)


def test_what_was_drawn_for_other_settings_is_not_used(examples: list[Example], tmp_path: Path) -> None:
    straight, other = tmp_path / "straight", tmp_path / "other"
    train = partial(unlearn, tiny_random.load(), examples, tiny_random.REFUSALS, METHOD)
    with patch.object(neutral, "generate", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        train(SETTINGS.changed(seed=7), other)
    for folder in (straight, other):
        train(SETTINGS, folder)
    assert same(straight, other)
    (other / "manifest.json").unlink()
    with pytest.raises(UserError, match="neutral pictures or a loss log of unknown settings"):
        train(SETTINGS, other)


def same(one: Path, other: Path) -> bool:
    first, second = (load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (one, other))
    return all(first[name].equal(second[name]) for name in first)
