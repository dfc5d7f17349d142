"""VSCBench: the same question about unsafe pictures and safe look-alikes, each pair partners."""

from pathlib import Path

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.selection import Part, choose
from tests.benchmarks import sources

read = SOURCES["vscbench"].read


def test_a_safe_picture_is_the_partner_of_the_unsafe_one(tmp_path: Path) -> None:
    examples = read(sources.vscbench(tmp_path)).examples
    harmful, safe = choose(examples, Part.GENERALITY), choose(examples, Part.DECOUPLED)
    assert len(harmful) == 3
    assert [one.partner for one in safe] == [one.id for one in harmful]
    assert {one.question for one in safe} == {"Placeholder request."}
    for one, other in zip(harmful, safe, strict=True):
        assert one.image is not None
        assert other.image is not None
        assert other.image.name == one.image.name.removeprefix("un")


def test_the_published_workbook_is_read(tmp_path: Path) -> None:
    folder = sources.vscbench(tmp_path)
    row = sources.load_csv(folder / "vscbench_image_centric.csv")[0]
    (folder / "vscbench_image_centric.csv").unlink()
    sources.write_workbook(folder / "vscbench_image_centric.xlsx", [row])
    assert len(read(folder).examples) == 6


def test_a_row_without_a_prompt_is_left_out(tmp_path: Path) -> None:
    """As two rows of the published workbook."""
    folder = sources.vscbench(tmp_path)
    row = sources.load_csv(folder / "vscbench_image_centric.csv")[0]
    sources.write_csv(folder / "vscbench_image_centric.csv", [row, row | {"Prompt": ""}])
    benchmark = read(folder)
    assert len(benchmark.examples) == 6
    assert [(one.rule, one.record) for one in benchmark.problems] == [("empty", "#2")]
