"""OR-Bench: three files, the hard prompts once."""

from pathlib import Path

from safeeraser.benchmarks import SOURCES
from safeeraser.records import Stream
from tests.benchmarks import sources

read = SOURCES["or_bench"].read


def test_three_files(tmp_path: Path) -> None:
    benchmark = read(sources.or_bench(tmp_path))
    assert [(one.id, one.stream, one.question, one.kind) for one in benchmark.examples] == [
        ("validation/hard-1k/1/decoupled", Stream.DECOUPLED, "Placeholder, hard?", "hard-1k"),
        ("validation/80k/2/decoupled", Stream.DECOUPLED, "Placeholder, soft?", "80k"),
        ("validation/toxic/1/forget", Stream.FORGET, "Placeholder, toxic?", "toxic"),
    ]
    (note,) = benchmark.problems
    assert "or-bench-hard-1k.csv too" in note.message


def test_any_of_them(tmp_path: Path) -> None:
    folder = sources.or_bench(tmp_path)
    (folder / "or-bench-hard-1k.csv").unlink()
    assert [one.question for one in read(folder).examples] == [
        *("Placeholder, hard?", "Placeholder, soft?", "Placeholder, toxic?"),
    ]
