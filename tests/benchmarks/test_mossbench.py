"""MOSSBench: harmless questions, each with what makes it look dangerous."""

from pathlib import Path

import pytest

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.benchmark import BenchmarkError
from safeeraser.records import Stream
from tests.benchmarks import sources

pytestmark = pytest.mark.usefixtures("own_cache")

read = SOURCES["mossbench"].read


def test_the_layout_of_github(tmp_path: Path) -> None:
    folder = sources.mossbench(tmp_path / "MOSSBench")
    found = read(folder).examples
    assert [(one.id, one.stream, one.category) for one in found] == [
        ("validation/1/decoupled", Stream.DECOUPLED, "exaggerated risk"),
        ("validation/2/decoupled", Stream.DECOUPLED, "negated harm"),
    ]
    assert found[1].image == folder / "data/images/2.png"
    assert found[1].question == "Placeholder 2?"


def test_the_table_of_the_hub(tmp_path: Path) -> None:
    row = {"pid": 4, "question": "Placeholder?", "decoded_image": sources.cell("4"), "metadata": {"over": "type 3"}}
    sources.write_parquet(tmp_path / "data/train-00000-of-00001.parquet", [row])
    (example,) = read(tmp_path).examples
    assert (example.id, example.category) == ("validation/4/decoupled", "counterintuitive interpretation")
    assert example.image is not None
    assert example.image.read_bytes() == sources.picture("4")


def test_an_unknown_type_is_an_error(tmp_path: Path) -> None:
    folder = sources.mossbench(tmp_path)
    file = folder / "data/images_information/information.json"
    information = sources.load_json(file)
    information["1"]["metadata"]["over"] = "type 9"
    sources.write_json(file, information)
    with pytest.raises(BenchmarkError, match=r"#1 1: metadata\.over: expected type 1, type 2, type 3, found 'type 9'"):
        read(folder)
