"""Other people's data go all the way: settings, reading, choosing what is asked, answers, verdicts and metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from safeeraser import runs as config
from safeeraser.cli.names import names
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.judges.run import judge_file
from safeeraser.metrics import score
from safeeraser.models.load import LoadedModel
from safeeraser.records import Generation, Metric, Split, Stream, Verdict, read_jsonl
from safeeraser.runs import RunSettings, pipeline
from safeeraser.runs.kit import Kit
from tests import tiny_random
from tests.benchmarks import sources


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEERASER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return tiny_random.load()


def settings(name: str, folder: Path) -> RunSettings:
    return config.parse("", "test", [f"data.benchmark={name}", f"data.path={folder}"], names())


@pytest.mark.parametrize("name", sources.WRITERS)
def test_a_run_has_something_to_ask(name: str, tmp_path: Path) -> None:
    run = settings(name, sources.WRITERS[name](tmp_path / "data"))
    said: list[str] = []
    benchmark = pipeline.prepare(run.data, Kit.of(run), said.append)
    asked = pipeline.asked(benchmark, run, said.append)
    assert asked
    unmeasured = sum("which is not measured" in line for line in said)
    parts = {(example.split, example.stream) for example in benchmark.examples} - {(Split.TRAIN, Stream.RETAIN)}
    assert unmeasured == 4 - len(parts)


def measured(name: str, folder: Path, loaded: LoadedModel, output: Path) -> list[Metric]:
    """The metrics of a random model on a source."""
    run = settings(name, sources.WRITERS[name](folder))
    kit = Kit.of(run)
    benchmark = kit.read(run.data.folder)
    examples = pipeline.asked(benchmark, run, lambda _: None)
    generate(loaded, examples, GenerateSettings(batch_size=4, max_new_tokens=4), output / "answers.jsonl")
    answers = read_jsonl(output / "answers.jsonl", Generation)
    judge_file(kit.judge(benchmark.refusals), examples, answers, output / "verdicts.jsonl")
    return score(name, examples, answers, read_jsonl(output / "verdicts.jsonl", Verdict))


def test_sarr_and_asr_of_text_alone(loaded: LoadedModel, tmp_path: Path) -> None:
    found = {(one.name, one.group): one for one in measured("xstest", tmp_path / "data", loaded, tmp_path)}
    assert (found["sarr", "all"].n, found["sarr", "all"].unscored) == (1, 0)
    assert (found["asr", "all"].n, found["asr", "category=homonyms"].n) in ((1, 1), (0, 0))
    assert found["retain_accuracy", "all"].value is None


@pytest.mark.parametrize(
    ("name", "metric", "count"),
    [("mossbench", "sarr", 2), ("mm_safetybench", "meaningless", 6), ("beavertails_v", "rr", 2)],
)
def test_pictures_out_of_the_folder_and_the_cache(
    name: str, metric: str, count: int, loaded: LoadedModel, tmp_path: Path
) -> None:
    metrics = measured(name, tmp_path / "data", loaded, tmp_path)
    (found,) = [
        one for one in metrics if one.name == metric and one.group == "all" and one.part != "efficacy" and one.n
    ]
    assert (found.n, found.unscored) == (count, 0)
