"""Safe pictures by a model: painted once each, kept whole, painted again where one is damaged."""

from pathlib import Path

import pytest
from PIL import Image

from safeeraser.curation.findings import Gate
from safeeraser.curation.paint import Diffusion, paint_all
from safeeraser.curation.pictures import Listed
from safeeraser.curation.prompts import Prompts
from safeeraser.curation.store import Store
from safeeraser.errors import UserError


class Fake:
    """A painter of plain squares that notes what it is asked for; it withholds what `withheld` names."""

    name = "fake"

    def __init__(self, withheld: str = "never said", stop_after: int = 99) -> None:
        self.asked: list[tuple[str, int]] = []
        self._withheld, self._stop_after = withheld, stop_after

    def paint(self, prompt: str, seed: int) -> Image.Image | None:
        if len(self.asked) == self._stop_after:
            raise KeyboardInterrupt
        self.asked.append((prompt, seed))
        return None if self._withheld in prompt else Image.new("RGB", (8, 8), (seed % 255, 0, 0))


def paint(folder: Path, painter: Fake, prompts: Prompts | None = None) -> tuple[list[Listed], Gate]:
    gate = Gate(())
    found = paint_all(4, painter, prompts or Prompts(), 7, Store(folder / "log.jsonl"), folder / "pictures", gate)
    return found, gate


def test_subjects_come_in_turn_each_with_a_seed_of_its_own(tmp_path: Path) -> None:
    painter = Fake()
    found, gate = paint(tmp_path, painter)
    assert [one.keyword for one in found] == ["kite", "loaf of bread", "teapot", "bicycle bell"]
    assert [seed for _, seed in painter.asked] == [7, 8, 9, 10]
    assert "a loaf of bread" in painter.asked[1][0]
    assert all(one.path.is_file() for one in found)
    assert not gate.findings


def test_a_stopped_run_goes_on_and_a_finished_one_paints_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        paint(tmp_path, Fake(stop_after=2))
    rest = Fake()
    found, _ = paint(tmp_path, rest)
    assert len(rest.asked) == 2
    again = Fake()
    assert paint(tmp_path, again)[0] == found
    assert not again.asked


def test_a_damaged_picture_is_painted_again(tmp_path: Path) -> None:
    found, _ = paint(tmp_path, Fake())
    found[1].path.write_bytes(b"half")
    again = Fake()
    paint(tmp_path, again)
    assert [seed for _, seed in again.asked] == [8]


def test_what_the_safety_checker_withholds_is_left_out_and_named(tmp_path: Path) -> None:
    found, gate = paint(tmp_path, Fake(withheld="teapot"))
    assert len(found) == 3
    assert [(one.record, one.rule) for one in gate.findings] == [("painted 3: a teapot", "image")]


def test_another_prompt_paints_other_pictures(tmp_path: Path) -> None:
    paint(tmp_path, Fake())
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "picture.jinja").write_text("A drawing of {{ subject }}.")
    again = Fake()
    paint(tmp_path, again, Prompts(tmp_path / "prompts"))
    assert len(again.asked) == 4


def test_without_diffusers_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    with pytest.raises(UserError, match=r"pip install 'safeeraser\[pictures\]'"):
        Diffusion("some/model", steps=1)


class Pipeline:
    """What diffusers gives back, as far as it is used."""

    def __init__(self, flagged: list[bool] | None) -> None:
        self.images, self.nsfw_content_detected = [Image.new("RGB", (4, 4))], flagged
        self.calls: list[dict[str, object]] = []

    @classmethod
    def from_pretrained(cls, model: str, **options: object) -> "Pipeline":
        if model == "missing":
            raise OSError("no such model")
        assert options["use_safetensors"] is True
        return cls([model == "flagged"] if model != "unchecked" else None)

    def to(self, _device: str) -> "Pipeline":
        return self

    def __call__(self, **call: object) -> "Pipeline":
        self.calls.append(call)
        return self


@pytest.mark.parametrize(("model", "painted"), [("flagged", False), ("fine", True), ("unchecked", True)])
def test_a_pipeline_is_asked_for_one_picture(monkeypatch: pytest.MonkeyPatch, model: str, painted: bool) -> None:
    module = type(pytest)("diffusers")
    module.AutoPipelineForText2Image = Pipeline
    monkeypatch.setitem(__import__("sys").modules, "diffusers", module)
    assert (Diffusion(model, steps=3).paint("A kite.", 5) is not None) == painted
    with pytest.raises(UserError, match=r"safe.model missing: no such model"):
        Diffusion("missing", steps=3)
