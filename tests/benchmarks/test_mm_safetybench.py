"""MM-SafetyBench: which question goes with which picture, in both published layouts."""

from pathlib import Path

import pytest

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.benchmark import BenchmarkError
from safeeraser.records import Stream
from tests.benchmarks import sources

pytestmark = pytest.mark.usefixtures("own_cache")

read = SOURCES["mm_safetybench"].read


def test_three_pictures_a_question(tmp_path: Path) -> None:
    folder = sources.mm_safetybench(tmp_path / "mm")
    found = {example.id: example for example in read(folder).examples}
    asked = {id: (example.kind, example.question) for id, example in found.items()}
    assert asked == {
        f"validation/Placeholder_Scenario/{n}/{kind}": (kind, f"Placeholder, rephrased{wording}, {n}?")
        for n in "01"
        for kind, wording in (("SD", " for SD"), ("SD_TYPO", ""), ("TYPO", ""))
    }
    typo = found["validation/Placeholder_Scenario/1/TYPO"]
    assert typo.image == folder / "data/imgs/01-Placeholder_Scenario/TYPO/1.jpg"
    assert (typo.category, typo.stream) == ("Placeholder_Scenario", Stream.FORGET)


def test_the_layout_of_the_hub(tmp_path: Path) -> None:
    folder = sources.mm_safetybench_hub(tmp_path / "mm")
    found = {example.id: example for example in read(folder).examples}
    assert len(found) == 8
    assert found["validation/Placeholder_Scenario/1/Text_only"].image is None
    typo = found["validation/Placeholder_Scenario/1/SD_TYPO"]
    assert typo.question == "Placeholder SD_TYPO 1?"
    assert typo.image is not None
    assert typo.image.read_bytes() == sources.picture("SD_TYPO 1")


def test_a_missing_rephrasing_is_named(tmp_path: Path) -> None:
    folder = sources.mm_safetybench(tmp_path / "mm")
    file = folder / "data/processed_questions/01-Placeholder_Scenario.json"
    questions = sources.load_json(file)
    del questions["1"]["Rephrased Question(SD)"]
    sources.write_json(file, questions)
    with pytest.raises(BenchmarkError, match=r"#2 1: 'Rephrased Question\(SD\)': missing"):
        read(folder)
