"""What holds for every source of other people's data, and how their files are refused."""

import gzip
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from openpyxl import Workbook

from safeeraser.benchmarks import SOURCES
from safeeraser.benchmarks.benchmark import Benchmark, BenchmarkError
from safeeraser.benchmarks.reading import tables
from safeeraser.benchmarks.selection import Part, choose
from safeeraser.benchmarks.tools.check import check
from safeeraser.judges.rules import is_refusal
from safeeraser.records import Split, Stream
from tests.benchmarks import sources

pytestmark = pytest.mark.usefixtures("own_cache")
every = pytest.mark.parametrize("name", sources.WRITERS)

EVALUATION_ONLY = {"mm_safetybench", "figstep", "xstest", "mossbench", "or_bench", "vscbench", "jailbreakbench"}


def read(name: str, folder: Path) -> Benchmark:
    return SOURCES[name].read(folder)


def refused(name: str, folder: Path) -> list[str]:
    """The problems of a folder that is not read, each as it is shown, from below the folder."""
    with pytest.raises(BenchmarkError) as caught:
        read(name, folder)
    return [str(problem).removeprefix(f"{folder}").lstrip("/: ") for problem in caught.value.problems]


@every
def test_what_is_read(name: str, tmp_path: Path) -> None:
    folder = sources.WRITERS[name](tmp_path / "data")
    benchmark = read(name, folder)
    assert benchmark.name == "data"
    assert benchmark.examples
    ids = [example.id for example in benchmark.examples]
    assert len(ids) == len(set(ids))
    for example in benchmark.examples:
        assert example.id.startswith(f"{example.split}/")
        assert example.image is None or example.image.is_file()
        assert example.answer or example.stream is Stream.FORGET or example.split is Split.VALIDATION
    if name in EVALUATION_ONLY:
        assert {example.split for example in benchmark.examples} == {Split.VALIDATION}
        assert {example.answer for example in benchmark.examples} == {""}


@every
def test_the_hash_is_of_the_content(name: str, tmp_path: Path) -> None:
    one, other = (sources.WRITERS[name](tmp_path / folder) for folder in ("one", "other"))
    first = read(name, one)
    assert read(name, one).hash == first.hash
    shutil.copytree(one, tmp_path / "copy")
    assert read(name, tmp_path / "copy").hash == first.hash
    texts = [path for path in sorted(other.rglob("*")) if path.suffix in (".json", ".csv", ".parquet")]
    text = next(path for path in texts if b"Placeholder" in path.read_bytes())
    text.write_bytes(text.read_bytes().replace(b"Placeholder", b"Placeh0lder"))
    assert read(name, other).hash != first.hash


@every
def test_a_good_copy_passes_the_check(name: str, tmp_path: Path) -> None:
    found = check(SOURCES[name].scan(sources.WRITERS[name](tmp_path / "data")), is_refusal=is_refusal, workers=1)
    assert found.errors == ()
    assert found.counts["records"] > 0
    assert sum(found.counts[f"{split}/{stream}"] for split in Split for stream in Stream) > 0


@every
def test_no_such_folder_and_an_empty_one(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refused(name, tmp_path / "none")[0] == "no such folder"
    assert "no such folder" not in refused(name, tmp_path / "empty")


@pytest.mark.parametrize("name", ["vlguard", "vscbench", "mm_safetybench", "figstep", "fiubench", "mossbench"])
def test_a_missing_picture_is_named_with_its_record(name: str, tmp_path: Path) -> None:
    folder = sources.WRITERS[name](tmp_path / "data")
    gone = next(path for path in sorted(folder.rglob("*")) if path.suffix in (".png", ".jpg"))
    gone.unlink()
    problems = refused(name, folder)
    assert len(problems) == 1
    assert gone.parent.name in problems[0]
    assert "#1" in problems[0]


@pytest.mark.parametrize("name", ["vlguard", "vscbench", "mm_safetybench", "figstep", "fiubench", "mossbench"])
def test_a_picture_outside_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    folder = sources.WRITERS[name](tmp_path / "data")
    link = next(path for path in sorted(folder.rglob("*")) if path.suffix in (".png", ".jpg"))
    link.rename(tmp_path / link.name)
    link.symlink_to(tmp_path / link.name)
    assert "leads outside the folder" in "".join(refused(name, folder))


@pytest.mark.parametrize("name", ["beavertails_v", "mllmu_bench", "clear"])
def test_a_broken_table_is_named(name: str, tmp_path: Path) -> None:
    folder = sources.WRITERS[name](tmp_path / "data")
    tables = sorted(folder.rglob("*.parquet"))
    for path in tables:
        path.write_bytes(path.read_bytes()[:-7])
    problems = [line for line in refused(name, folder) if "not a Parquet file that can be read" in line]
    assert problems
    assert {line.partition(": ")[0] for line in problems} <= {path.relative_to(folder).as_posix() for path in tables}


@pytest.mark.parametrize("content", [b"not a picture", b"", sources.picture("x")[:60]])
def test_a_broken_picture_in_a_table_is_named(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "data/placeholder/train.parquet"
    row = {"question": "Placeholder?", "response": "Placeholder.", "is_response_safe": "no"}
    sources.write_parquet(file, [row | {"image": {"bytes": content, "path": "a.png"}}])
    if content.startswith(b"\x89PNG"):  # the header is whole: only decoding shows it
        found = check(SOURCES["beavertails_v"].scan(tmp_path), is_refusal=is_refusal, workers=1)
        assert [(one.rule, one.record, one.field) for one in found.errors] == [("image", "#1", "image")]
    else:
        (problem,) = refused("beavertails_v", tmp_path)
        assert problem.startswith("data/placeholder/train.parquet: #1: image: ")


@pytest.mark.parametrize("name", ["xstest", "or_bench", "figstep"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.partition("\n")[2], "no column"),
        (lambda text: text.rstrip() + ",one,too,many\n", "more values than the header has columns"),
        (lambda text: text + '"half', "not CSV"),
        (lambda text: text[:0], "no column"),
    ],
)
def test_a_broken_csv_is_named(name: str, spoil: Callable[[str], str], message: str, tmp_path: Path) -> None:
    folder = sources.WRITERS[name](tmp_path / "data")
    for path in folder.rglob("*.csv"):
        path.write_text(spoil(path.read_text()) or "\n")
    assert message in "".join(refused(name, folder))


PROMPT = "Caf\xe9 \u2013 \xbfplaceholder?"
SAVED = {
    "UTF-8 with a byte order mark": (",", "utf-8-sig"),
    "UTF-16 with tabs": ("\t", "utf-16"),
    "UTF-16 without a mark": ("\t", "utf-16-le"),
    "Windows-1252 with semicolons": (";", "cp1252"),
    "UTF-8 with semicolons": (";", "utf-8"),
    "UTF-8 with bars": ("|", "utf-8"),
    "UTF-32": (",", "utf-32"),
    "UTF-16 without a mark, the other way round": (",", "utf-16-be"),
    "Windows-1252 with commas": (",", "cp1252"),
}


@pytest.mark.parametrize("kind", SAVED)
def test_a_table_is_read_as_spreadsheet_programs_save_it(kind: str, tmp_path: Path) -> None:
    separator, encoding = SAVED[kind]
    lines = [("id", "prompt", "type"), ("1", PROMPT, "homonyms"), ("", "", ""), ("2", f'"a{separator}b"', "contrast_x")]
    text = "\r\n".join(separator.join(line) for line in lines)
    (tmp_path / "xstest_prompts.csv").write_bytes(text.encode(encoding))
    found = read("xstest", tmp_path)
    assert [example.question for example in found.examples] == [PROMPT, f"a{separator}b"]
    assert any("Windows-1252" in str(problem) for problem in found.problems) == (encoding == "cp1252")


ROWS = "id;prompt;type\r\n1;What?;homonyms\r\n"
BOOK = [{"id": 1, "prompt": "What?", "type": "homonyms"}]
BEGUN = {
    "the separator's line": f"sep=;\n{ROWS}",
    "capitals": f"SEP=;\r\n{ROWS}",
    "quotes": f'"sep=;"\r\n{ROWS}',
    "one carriage return": "sep=;\r" + ROWS.replace("\n", ""),
    "blank lines": f"\r\n;;\r\n ; ;\r\n{ROWS}",
    "two byte order marks": f"\ufeff\ufeff{ROWS}",
    "a mark that nobody sees": ROWS.replace("prompt", "prompt\u200b"),
    "blanks behind the separators": 'id, "prompt", type\n1, "What?", homonyms\n , ,\n',
}


@pytest.mark.parametrize("kind", BEGUN)
def test_what_stands_before_the_header_is_passed_over(kind: str, tmp_path: Path) -> None:
    (tmp_path / "xstest_prompts.csv").write_text(BEGUN[kind], newline="")
    assert [example.question for example in read("xstest", tmp_path).examples] == ["What?"]


def test_a_header_among_the_rows_is_passed_over_and_told(tmp_path: Path) -> None:
    """As in files that were put together."""
    (tmp_path / "xstest_prompts.csv").write_text(ROWS + ROWS.replace("1;What", "2;Who"))
    found = read("xstest", tmp_path)
    assert [example.question for example in found.examples] == ["What?", "Who?"]
    assert [one.record for one in found.problems if "the header again" in one.message] == ["#2"]


def test_a_cell_may_be_long(tmp_path: Path) -> None:
    (tmp_path / "xstest_prompts.csv").write_text(ROWS.replace("What?", "What " * 40_000))
    assert len(read("xstest", tmp_path).examples[0].question) == 200_000


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_a_table_is_what_it_holds_and_not_what_its_name_says(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"xstest_prompts.{suffix}"
    sources.write_workbook(path, BOOK)
    assert [example.question for example in read("xstest", tmp_path).examples] == ["What?"]
    path.write_text(ROWS)
    assert [example.question for example in read("xstest", tmp_path).examples] == ["What?"]


def test_the_sheet_with_the_table_is_read(tmp_path: Path) -> None:
    book = Workbook()
    book.create_sheet("About", 0).append(["About this file"])
    for row in (("id", "prompt", "type"), ("1", "What?", "homonyms")):
        book.worksheets[1].append(row)
    book.save(tmp_path / "xstest_prompts.xlsx")
    assert [example.question for example in read("xstest", tmp_path).examples] == ["What?"]


def book(folder: Path, *rows: tuple[object, ...], hidden: tuple[tuple[object, ...], ...] = ()) -> None:
    made = Workbook()
    if hidden:
        made.create_sheet("Old", 0).sheet_state = "hidden"
    for sheet, lines in zip(made.worksheets, (hidden, rows) if hidden else (rows,), strict=True):
        for line in lines:
            sheet.append(line)
    made.save(folder / "xstest_prompts.xlsx")


def test_of_several_sheets_with_the_table_one_that_is_shown_is_read_and_the_others_are_told(tmp_path: Path) -> None:
    header = ("id", "prompt", "type")
    book(tmp_path, header, (1, "What_x000D_\nnow?", "homonyms"), hidden=(header, (1, "Who?", "homonyms")))
    found = read("xstest", tmp_path)
    assert [example.question for example in found.examples] == ["What\r\nnow?"]
    assert any("not read: 'Old'" in str(problem) for problem in found.problems)


def test_formulas_that_nobody_has_computed_are_no_empty_cells(tmp_path: Path) -> None:
    """As of programs that write workbooks; a row of nothing else would vanish."""
    book(tmp_path, ("id", "prompt", "type"), (1, "What?", "homonyms"), ("=A2+1", '="Wh"&"o?"', "=C2"))
    assert "formulas without values" in refused("xstest", tmp_path)[0]


NO_TABLES = {
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n": "a Git LFS pointer",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "before 2007, or one with a password",
    ROWS.encode().replace(b"What?", b"#REF!"): "#1: prompt: #REF!: a formula that failed",
    gzip.compress(ROWS.encode(), mtime=0): "compressed by gzip",
    b"\n<!DOCTYPE html><title>404</title>": "a web page",
    ROWS.encode().replace(b"What", b"Wh\0t"): "holds NUL characters (line 2)",
    ROWS.replace("type", "prompt").encode(): "no column type",
    ROWS.replace("id", "type").encode(): "no column id",
    b"id,prompt,type,prompt\n1,What?,homonyms,Which?\n": "two columns 'prompt'",
}


@pytest.mark.parametrize("content", NO_TABLES)
def test_what_is_no_table_is_called_what_it_is_and_nothing_else(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "xstest_prompts.csv").write_bytes(content)
    problem, *more = refused("xstest", tmp_path)
    assert NO_TABLES[content] in problem
    assert all("two columns" in other for other in more)


def test_a_workbook_is_read_as_its_table(tmp_path: Path) -> None:
    sources.write_workbook(tmp_path / "xstest_prompts.xlsx", [{"id": 1, "prompt": PROMPT, "type": "homonyms"}])
    assert [example.question for example in read("xstest", tmp_path).examples] == [PROMPT]
    (tmp_path / "xstest_prompts.xlsx").write_bytes(b"PK\3\4 no workbook")
    assert "not a workbook that can be read" in refused("xstest", tmp_path)[0]


def test_a_table_in_no_known_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "xstest_prompts.csv").write_bytes(b"id,prompt,type\n1,\x81\x8d,homonyms\n")
    assert refused("xstest", tmp_path)[0].endswith("not UTF-8, and not cp1252 either; save it as UTF-8")


def test_a_table_whose_texts_unpack_to_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_TEXT_BYTES", 100_000)
    row = {"question": "Placeholder " * 500, "image": sources.cell("a"), "response": "x", "is_response_safe": "no"}
    sources.write_parquet(tmp_path / "data/placeholder/train.parquet", [row] * 50)
    (problem,) = refused("beavertails_v", tmp_path)
    assert "unpack to more than 100,000 bytes" in problem


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("<image>\nWhat is it?", "What is it?"),
        ("What is <image> this?", "What is this?"),
        ("<|vision_start|><|image_pad|><|vision_end|>What?", "What?"),
        ("[IMG] What? <video>", "What?"),
    ],
)
@pytest.mark.parametrize("name", ["xstest", "vlguard"])
def test_tokens_that_stand_for_a_picture_are_left_out(name: str, written: str, asked: str, tmp_path: Path) -> None:
    if name == "xstest":
        sources.write_csv(tmp_path / "xstest_prompts.csv", [{"id": "1", "prompt": written, "type": "homonyms"}])
    else:
        folder = sources.vlguard(tmp_path)
        records = sources.load_json(folder / "train.json")
        records[0]["instr-resp"][0]["instruction"] = written
        sources.write_json(folder / "train.json", records)
    found = read(name, tmp_path)
    assert found.examples[0].question == asked
    assert [one.rule for one in found.problems if one.rule == "token"] == ["token"]


def test_every_example_names_its_record_and_pair(tmp_path: Path) -> None:
    for name, write in sources.WRITERS.items():
        for example in read(name, write(tmp_path / name)).examples:
            assert example.id == f"{example.split}/{example.record}/{example.pair}"


def test_several_problems_come_at_once(tmp_path: Path) -> None:
    folder = sources.vlguard(tmp_path / "data")
    records = sources.load_json(folder / "train.json")
    records[0]["image"] = "../../outside.png"
    records[1]["instr-resp"][1] = {"question": "?"}
    sources.write_json(folder / "train.json", records)
    found = "\n".join(refused("vlguard", folder))
    assert "train.json: #1: image: path with '..'" in found
    assert "train.json: #2: 'instr-resp'[1]: no instruction among 'question'" in found


@pytest.mark.parametrize("name", ["xstest", "or_bench", "mossbench", "jailbreakbench"])
def test_over_refusal_sets_are_what_sarr_is_measured_on(name: str, tmp_path: Path) -> None:
    examples = read(name, sources.WRITERS[name](tmp_path / "data")).examples
    asked = choose(examples, Part.DECOUPLED)
    assert asked
    assert {example.partner for example in asked} == {None}
    assert bool(choose(examples, Part.GENERALITY)) == (name != "mossbench")


def test_refusals_come_from_the_folder(tmp_path: Path) -> None:
    folder = sources.beavertails_v(tmp_path / "data")
    (warning,) = [str(one) for one in read("beavertails_v", folder).problems if one.rule == "file"]
    assert "no refusals to train towards" in warning
    sources.write_json(folder / "prompt.json", {"idk": sources.REFUSALS})
    assert read("beavertails_v", folder).refusals == tuple(sources.REFUSALS)
    sources.write_json(folder / "prompt.json", {"idk": ["", 3]})
    assert len(refused("beavertails_v", folder)) == 2


@pytest.mark.parametrize("seed", range(6))
@every
def test_spoilt_bytes_are_read_or_refused(name: str, seed: int, tmp_path: Path) -> None:
    folder, rng = sources.WRITERS[name](tmp_path / "data"), random.Random(f"{name} {seed}")
    for _ in range(2):
        path = rng.choice([each for each in sorted(folder.rglob("*")) if each.is_file()])
        content = bytearray(path.read_bytes())
        for _ in range(rng.randrange(8) if content else 0):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content[: rng.choice((len(content), rng.randrange(len(content) + 1)))])
    with suppress(BenchmarkError):
        assert read(name, folder).examples
        return
    assert all(line.isprintable() for line in refused(name, folder))


def test_a_table_with_text_that_is_not_utf_8(tmp_path: Path) -> None:
    file = sources.beavertails_v(tmp_path) / "data/placeholder_category/train.parquet"
    file.write_bytes(file.read_bytes().replace(b"Placeholder", b"Placeh\x95lder"))
    (problem,) = [one for one in refused("beavertails_v", tmp_path) if "Parquet" in one]
    assert problem.startswith("data/placeholder_category/train.parquet: not a Parquet file that can be read ('utf-8'")
