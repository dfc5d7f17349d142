"""CLEAR: captions and questions of text, and real faces."""

from pathlib import Path

import pytest

from safeeraser.benchmarks import SOURCES
from safeeraser.records import Split, Stream
from tests.benchmarks import sources

pytestmark = pytest.mark.usefixtures("own_cache")

read = SOURCES["clear"].read


def test_the_smallest_part_with_its_text(tmp_path: Path) -> None:
    found = {example.id: example for example in read(sources.clear(tmp_path / "CLEAR")).examples}
    file = "train-00000-of-00001"
    assert sorted(found) == [
        f"train/forget01+tofu/{file}/1/forget",
        f"train/forget01+tofu/{file}/2/forget",
        f"train/retain99+tofu/{file}/1/retain",
        f"train/retain99+tofu/{file}/2/retain",
        f"validation/real_faces/{file}/1/retain",
    ]
    caption, text = (found[f"train/forget01+tofu/{file}/{n}/forget"] for n in (1, 2))
    assert (caption.question, caption.answer) == (
        "Tell me about the content of this image",
        "A placeholder of forget01.",
    )
    assert (text.question, text.answer, text.image) == ("Placeholder forget01?", "It is forget01.", None)
    face = found[f"validation/real_faces/{file}/1/retain"]
    assert (face.question, face.answer) == ("The name of the person on the image is ", "A Person")


def test_a_part_without_text(tmp_path: Path) -> None:
    examples = read(sources.clear(tmp_path / "CLEAR") / "forget05").examples
    assert [(one.split, one.stream, one.kind) for one in examples] == [
        (Split.TRAIN, Stream.FORGET, "caption"),
        (Split.TRAIN, Stream.RETAIN, "caption"),
        (Split.VALIDATION, Stream.RETAIN, "real_faces"),
    ]
