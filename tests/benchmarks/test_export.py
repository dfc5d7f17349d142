"""A benchmark written for others comes back as it was, in every layout."""

import dataclasses
import hashlib
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safeeraser.benchmarks import SOURCES, icons, read
from safeeraser.benchmarks.benchmark import Benchmark, BenchmarkError
from safeeraser.benchmarks.released import read as released
from safeeraser.benchmarks.released.write import LayoutError
from safeeraser.benchmarks.sources import parquet
from safeeraser.benchmarks.tools.check import check
from safeeraser.benchmarks.tools.export import LAYOUTS, export
from safeeraser.errors import UserError
from safeeraser.judges.rules import is_refusal
from safeeraser.records import Example, Split, Stream
from tests.benchmarks import small, sources

pytestmark = pytest.mark.usefixtures("own_cache")
every_layout = pytest.mark.parametrize("layout", LAYOUTS)
shards = pytest.mark.parametrize("layout", ["parquet"])


@pytest.fixture(scope="module")
def pictograms(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """A small `icons` benchmark: with subsets, kinds, keywords, and questions without a picture."""
    folder = tmp_path_factory.mktemp("icons") / "icons"
    icons.build(folder, scale=0.005)
    return released.read(folder)


def same(one: Benchmark, other: Benchmark) -> bool:
    """Whether two benchmarks hold equal examples with equal files of pictures, in the same order, and refusals."""
    return _content(one) == _content(other) and one.refusals == other.refusals


def _content(benchmark: Benchmark) -> list[tuple[Example, bytes | None]]:
    return [
        (dataclasses.replace(example, image=None), example.image.read_bytes() if example.image else None)
        for example in benchmark.examples
    ]


def files(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def front_matter(folder: Path) -> dict[str, object]:
    return dict(yaml.safe_load((folder / "README.md").read_text().split("---\n")[1]))


@every_layout
def test_nothing_is_lost(layout: str, pictograms: Benchmark, tmp_path: Path) -> None:
    export(pictograms, tmp_path / "out", layout)
    back = read(tmp_path / "out", layout)
    assert same(back, pictograms)
    assert back.counts() == pictograms.counts()
    assert {one.subset for one in back.examples} == {"seen", "unseen"}
    assert any(one.partner for one in back.examples)


@every_layout
def test_equal_benchmarks_give_equal_bytes(layout: str, pictograms: Benchmark, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(pictograms, tmp_path / name, layout)
    assert files(tmp_path / "one") == files(tmp_path / "two")


@every_layout
def test_what_is_written_passes_the_check(layout: str, folder: Path, tmp_path: Path) -> None:
    export(released.read(folder), tmp_path / "out", layout)
    found = check(SOURCES[layout].scan(tmp_path / "out"), is_refusal=is_refusal, workers=1)
    assert found.problems == ()


@shards
@pytest.mark.parametrize("name", sources.WRITERS)
def test_every_source_can_be_exported(layout: str, name: str, tmp_path: Path) -> None:
    benchmark = read(sources.WRITERS[name](tmp_path / "data"), name)
    export(benchmark, tmp_path / "out", layout)
    assert same(read(tmp_path / "out", layout), benchmark)


@shards
def test_many_shards_are_one_benchmark(layout: str, pictograms: Benchmark, tmp_path: Path) -> None:
    export(pictograms, tmp_path / "out", layout, shard_bytes=50_000)
    assert len(list((tmp_path / "out/data").iterdir())) > 10
    assert same(read(tmp_path / "out", layout), pictograms)


def test_datasets_reads_the_parquet_files(pictograms: Benchmark, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    export(pictograms, tmp_path / "out", "parquet")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == list(Split)
    assert loaded["train"].features == parquet.features()
    train = [example for example in pictograms.examples if example.split is Split.TRAIN]
    assert loaded["train"]["id"][:] == [example.id for example in train]
    first = loaded["train"][0]
    assert train[0].image is not None
    assert first["image"].convert("RGB").tobytes() == sources.pixels(train[0].image)
    text = next(number for number, example in enumerate(train) if example.image is None)
    assert loaded["train"][text]["image"] is None


def test_the_card_counts_and_names(pictograms: Benchmark, tmp_path: Path) -> None:
    export(pictograms, tmp_path / "out", "parquet", licence="apache-2.0")
    matter = front_matter(tmp_path / "out")
    assert matter["license"] == "apache-2.0"
    assert matter["size_categories"] == ["n<1K"]
    assert matter["configs"] == [
        {
            "config_name": "default",
            "data_files": [{"split": str(split), "path": f"data/{split}-*"} for split in Split],
        }
    ]
    page = (tmp_path / "out/README.md").read_text()
    assert pictograms.hash in page
    count = pictograms.counts()[Split.TRAIN, Stream.FORGET]
    assert f"| train | {count} | {count} | {count} |" in page
    weapons = sum(example.category == "Weapon" for example in pictograms.examples)
    assert f"| Weapon | {weapons} |" in page


def test_the_card_shows_names_as_they_are(folder: Path, tmp_path: Path) -> None:
    def rename(records: list[small.Record]) -> None:
        records[0]["category"] = "<b>|`x`|</b> [a](b)\n---\nlicense: mit"

    small.edit(folder, rename)
    odd = dataclasses.replace(released.read(folder), name="<i>: [x]\n---\nlicense: mit")
    export(odd, tmp_path / "out", "parquet", licence="a: b")
    page = (tmp_path / "out/README.md").read_text()
    assert "<b>" not in page.split("---\n")[2]
    assert r"\<b\>\|\`x\`\|\</b\> \[a\](b)\\n---\\nlicense: mit" in page
    assert front_matter(tmp_path / "out")["license"] == "a: b"
    assert front_matter(tmp_path / "out")["pretty_name"] == "<i>: [x] --- license: mit"


def test_the_released_layout_says_what_it_cannot_hold(tmp_path: Path) -> None:
    benchmark = read(sources.xstest(tmp_path / "data"), "xstest")
    with pytest.raises(LayoutError, match=r"1/decoupled': .* its record has no picture"):
        export(benchmark, tmp_path / "out", "released")
    assert not (tmp_path / "out").exists()


def test_the_released_layout_loses_no_field_silently(folder: Path, tmp_path: Path) -> None:
    benchmark = released.read(folder)
    odd = tuple(
        dataclasses.replace(one, category="other") if one.id.endswith("/forget3") else one for one in benchmark.examples
    )
    with pytest.raises(LayoutError, match=r"forget3': .* it has no place for its category"):
        export(dataclasses.replace(benchmark, examples=odd), tmp_path / "out", "released")
    assert list(tmp_path.glob("*out*")) == []


@every_layout
def test_the_target_must_be_new_and_elsewhere(layout: str, folder: Path, tmp_path: Path) -> None:
    benchmark = released.read(folder)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    with pytest.raises(UserError, match="exists already; name a new folder"):
        export(benchmark, tmp_path / "full", layout)
    with pytest.raises(UserError, match="which is never changed"):
        export(benchmark, folder / "export", layout)
    assert files(tmp_path / "full") == {"file": hashlib.sha256(b"mine").hexdigest()}


def test_an_unknown_layout_lists_the_known(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown layout 'parket'; did you mean 'parquet'"):
        export(released.read(folder), tmp_path / "out", "parket")


@every_layout
def test_a_stopped_export_leaves_nothing(layout: str, folder: Path, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert 0 < done <= total
        if done == total:
            raise StoppedError

    with pytest.raises(StoppedError):
        export(released.read(folder), tmp_path / "out", layout, progress=stop)
    assert list(tmp_path.glob("*out*")) == []


TEXT = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.tuples(TEXT, TEXT, st.none() | TEXT), min_size=1, max_size=3),
    layout=st.sampled_from(["parquet"]),
)
def test_any_text_comes_back(
    texts: list[tuple[str, str, str | None]], layout: str, original: Path, tmp_path: Path
) -> None:
    examples = tuple(
        Example(
            id=f"train/{number}/{id}",
            record=str(number),
            pair=id,
            split=Split.TRAIN,
            stream=Stream.RETAIN,
            image=None,
            question=question,
            answer=id,
            category=category,
        )
        for number, (id, question, category) in enumerate(texts)
    )
    benchmark = Benchmark("any", original, examples, ("No.",), (), "0" * 64)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    export(benchmark, tmp_path / "out", layout)
    assert read(tmp_path / "out", layout).examples == examples


def test_a_bad_parquet_row_is_named(tmp_path: Path) -> None:
    row = {"number": 0, "id": "a", "split": "trian", "stream": "retain", "question": "", "answer": "b", "image": None}
    row |= dict.fromkeys(("partner", "category", "keyword", "subset", "kind"))
    sources.write_parquet(tmp_path / "data/train-00000-of-00001.parquet", [row])
    with pytest.raises(BenchmarkError) as caught:
        SOURCES["parquet"].read(tmp_path)
    assert [(one.record, one.field, one.message.partition(";")[0]) for one in caught.value.problems] == [
        ("#1", "question", "empty"),
        ("#1", "split", "unknown split 'trian'"),
    ]


def test_one_text_said_a_million_times_is_refused_by_what_it_unpacks_to(tmp_path: Path) -> None:
    rows = 1_200
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["a" * 2**20]))
    others = dict.fromkeys(
        ("id", "split", "stream", "answer", "partner", "category", "keyword", "subset", "kind"), [""] * rows
    )
    table = pa.table({"number": range(rows), "question": text, **others, "image": pa.nulls(rows)})
    file = tmp_path / "data/train-00000-of-00001.parquet"
    file.parent.mkdir()
    pq.write_table(table, file)
    assert file.stat().st_size < 2**20
    with pytest.raises(BenchmarkError, match=r"train-00000.*its texts unpack to more than"):
        SOURCES["parquet"].read(tmp_path)
