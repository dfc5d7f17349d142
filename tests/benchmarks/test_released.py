"""The released layout is read in every form seen, and nothing else is."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safeeraser.benchmarks.benchmark import Benchmark, BenchmarkError, Problem
from safeeraser.benchmarks.released.read import read
from safeeraser.records import Example, Split, Stream
from tests.benchmarks import small


def by_id(benchmark: Benchmark) -> dict[str, Example]:
    return {example.id: example for example in benchmark.examples}


def errors(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(BenchmarkError) as caught:
        read(folder)
    return caught.value.problems


def only(found: tuple[Problem, ...]) -> tuple[str, str | None, str | None]:
    """The rule, record and field of the one problem there is."""
    (problem,) = found
    return problem.rule, problem.record, problem.field


def test_counts_what_is_there(folder: Path) -> None:
    benchmark = read(folder)
    assert benchmark.name == "small"
    assert benchmark.refusals == tuple(small.REFUSALS)
    assert benchmark.problems == ()
    assert set(benchmark.counts().values()) == {2 * small.PAIRS}
    assert len(benchmark.images()) == 12


def test_a_record_becomes_forget_retain_and_decoupled_examples(folder: Path) -> None:
    examples = by_id(read(folder))
    base = "validation/img/Privacy/validation1"
    assert sorted(id.removeprefix(f"{base}/") for id in examples if id.startswith(base)) == [
        *("decoupled1", "decoupled2", "decoupled3", "decoupled4", "forget1", "forget2", "forget3", "forget4"),
        *("image1", "image2", "text1", "text2"),
    ]
    assert examples[f"{base}/forget3"] == Example(
        id=f"{base}/forget3",
        split=Split.VALIDATION,
        stream=Stream.FORGET,
        image=folder / "img/Privacy/validation1.png",
        question="How is this used, validation 1, 2?",
        answer="Use thing validation 1 like so, 2.",
        category="Privacy",
        keyword="thing validation 1",
        record="img/Privacy/validation1",
        pair="forget3",
    )
    assert examples[f"{base}/text2"].answer == "This of validation 1, text2."
    assert examples[f"{base}/text2"].image == folder / "img/Privacy/validation1.png"


def test_a_decoupled_example_asks_what_its_partner_asks_about_a_safe_picture(folder: Path) -> None:
    examples = by_id(read(folder))
    decoupled = [example for example in examples.values() if example.stream == Stream.DECOUPLED]
    assert len(decoupled) == 6 * small.PAIRS
    for example in decoupled:
        partner = examples[str(example.partner)]
        assert partner.stream == Stream.FORGET
        assert partner.question == example.question
        assert partner.id.rpartition("/")[0] == example.id.rpartition("/")[0]
        assert example.image is not None
        assert example.image.is_relative_to(folder / "pdset")


def test_optional_keys_of_our_own_benchmarks(folder: Path) -> None:
    def add(records: list[small.Record]) -> None:
        records[0] |= {"id": "own/name", "subset": "unseen", "safe_keyword": "kite"}
        records[0]["unsafe_pairs"][0]["kind"] = "plan"
        records[0]["UnharmPair_text1"] |= {"kind": "text", "image": None}

    small.edit(folder, add)
    examples = by_id(read(folder))
    assert examples["train/own/name/forget1"].subset == "unseen"
    assert examples["train/own/name/forget1"].kind == examples["train/own/name/decoupled1"].kind == "plan"
    assert examples["train/own/name/decoupled1"].keyword == "kite"
    assert examples["train/own/name/decoupled1"].partner == "train/own/name/forget1"
    text = examples["train/own/name/text1"]
    assert (text.image, text.keyword, text.kind, text.category) == (None, None, "text", "Weapon")
    assert examples["train/img/Privacy/train1/forget1"].subset is None


def _image_id(records: list[small.Record]) -> None:
    for record in records:
        record["image_id"] = record.pop("image_path")


def _answer(records: list[small.Record]) -> None:
    for record in records:
        record["UnharmPair_text1"]["Answer"] = record["UnharmPair_text1"].pop("Prediction")
        record["UnharmPair_image1"]["Answer"] = record["UnharmPair_image1"]["Prediction"]


def _no_category(records: list[small.Record]) -> None:
    records[0]["category"] = ""
    records[1].pop("category")


@pytest.mark.parametrize("change", [_image_id, _answer, _no_category])
def test_other_spellings_read_the_same(
    folder: Path, original: Path, change: Callable[[list[small.Record]], None]
) -> None:
    small.edit(folder, change)
    here, there = read(folder).examples, read(original).examples
    assert [(one.id, one.category, one.question, one.answer) for one in here] == [
        (one.id, one.category, one.question, one.answer) for one in there
    ]


def test_an_empty_category_is_said_once_a_file(folder: Path) -> None:
    small.edit(folder, _no_category)
    (problem,) = read(folder).problems
    assert (problem.severity, problem.rule, problem.record) == ("warning", "category", None)
    assert "2 times; first in #1 img/Weapon/train0.png" in problem.message


@pytest.mark.parametrize("name", ["all_train.json", "all_train.jsonl"])
def test_json_lines(folder: Path, original: Path, name: str) -> None:
    lines = "\n\n".join(json.dumps(record) for record in small.load(folder)) + "\r\n"
    (folder / "dataset/all_train.json").unlink()
    small.raw(folder, lines.encode(), name)
    assert [one.id for one in read(folder).examples] == [one.id for one in read(original).examples]


def test_files_beside_the_pictures_instead_of_in_dataset(folder: Path) -> None:
    for path in list((folder / "dataset").iterdir()):
        path.rename(folder / path.name)
    (folder / "dataset").rmdir()
    assert len(read(folder).examples) == 72


@pytest.mark.parametrize(
    ("change", "counts", "said"),
    [
        (lambda r: r.pop("SDImage_path"), (8, 8, 4), "no SDImage_path"),
        (lambda r: r.update(SDImage_path=""), (8, 8, 4), "no SDImage_path"),
        (lambda r: r["unsafe_pairs"][1].pop("sd_response"), (8, 8, 7), "fewer PD pairs"),
        (lambda r: r["unsafe_pairs"].pop(), (7, 8, 7), None),
        (lambda r: r["unsafe_pairs"].append(r["unsafe_pairs"][0]), (9, 8, 9), None),
        (lambda r: r.pop("unsafe_pairs"), (4, 8, 4), "no unsafe_pairs"),
        (lambda r: r.pop("UnharmPair_image2"), (8, 7, 8), None),
        (lambda r: r.update(UnharmPair_text3=r["UnharmPair_text1"]), (8, 9, 8), None),
        (lambda r: [r.pop(key) for key in list(r) if key.startswith("Unharm")], (8, 4, 8), "no retain pairs"),
    ],
)
def test_fewer_and_more_pairs(
    folder: Path, change: Callable[[small.Record], object], counts: tuple[int, int, int], said: str | None
) -> None:
    small.edit(folder, lambda records: change(records[0]))
    benchmark = read(folder)
    assert tuple(benchmark.counts()[Split.TRAIN, stream] for stream in Stream) == counts
    assert [said in problem.message for problem in benchmark.problems if said] == ([True] if said else [])
    assert bool(benchmark.problems) == bool(said)


@pytest.mark.parametrize(
    ("rename", "meant"),
    [
        (
            lambda r: r["UnharmPair_text1"].update({"Predicti1on": r["UnharmPair_text1"].pop("Prediction")}),
            "Prediction",
        ),
        (lambda r: r["unsafe_pairs"][0].update({"Question": r["unsafe_pairs"][0].pop("question")}), "question"),
        (lambda r: r.update(imagepath=r.pop("image_path")), "image_path"),
        (lambda r: r.update(unharmpair_text1=r.pop("UnharmPair_text1")), "UnharmPair_text1"),
    ],
)
def test_a_misspelt_key_is_read_with_a_warning(
    folder: Path, original: Path, rename: Callable[[small.Record], object], meant: str
) -> None:
    small.edit(folder, lambda records: rename(records[0]))
    benchmark = read(folder)
    (problem,) = benchmark.problems
    assert (problem.rule, problem.severity) == ("key", "warning")
    assert f"read as '{meant}'" in problem.message
    assert {one.answer for one in benchmark.examples} == {one.answer for one in read(original).examples}


def test_an_unknown_key_is_named_and_not_read(folder: Path) -> None:
    small.edit(folder, lambda records: [record.update(keywrod="a", source="web") for record in records])
    small.edit(folder, lambda records: [record.pop("keyword") for record in records])
    assert [problem.message for problem in read(folder).problems] == [
        "unknown key 'keywrod', not read; did you mean 'keyword'? (2 times; first in #1 img/Weapon/train0.png)",
        "unknown key 'source', not read (2 times; first in #1 img/Weapon/train0.png)",
    ]


def test_missing_prompts_and_strange_files_are_warnings(folder: Path) -> None:
    (folder / "dataset/prompt.json").rename(folder / "dataset/promt.json")
    benchmark = read(folder)
    assert benchmark.refusals == ()
    assert [(problem.rule, problem.file.name) for problem in benchmark.problems] == [
        ("file", "promt.json"),
        ("file", "prompt.json"),
    ]


def test_hash_follows_content(folder: Path, original: Path) -> None:
    before = read(original).hash
    assert read(folder).hash == before
    small.draw(folder / "img/Weapon/train0.png", seed="another")
    after = read(folder).hash
    assert after != before
    small.dump(folder, "prompt.json", {"idk": ["No."]})
    assert read(folder).hash not in (before, after)


def test_hash_is_of_the_content_of_pictures_not_their_names(folder: Path) -> None:
    before = read(folder).hash
    picture = folder / "img/Weapon/train0.png"
    content = picture.read_bytes()
    picture.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert read(folder).hash != before
    picture.write_bytes(content)
    assert read(folder).hash == before


# What is refused


def test_all_problems_are_reported_at_once(folder: Path) -> None:
    def spoil(records: list[small.Record]) -> None:
        records[0]["unsafe_pairs"][2]["question"] = " "
        records[1]["unsafe_pairs"] = "none"
        records[1]["image_path"] = "img/none.png"

    small.edit(folder, spoil)
    small.edit(folder, lambda records: records[0]["UnharmPair_text1"].pop("Question"), "all_val.json")
    path = folder / "dataset/all_train.json"
    found = errors(folder)
    assert [str(problem) for problem in found] == [
        f"{path}: #1 img/Weapon/train0.png: unsafe_pairs[2].question: empty",
        f"{path}: #2 img/none.png: unsafe_pairs: expected a list, found text 'none'",
        f"{path}: #2 img/none.png: image_path: No such file or directory: 'img/none.png'",
        f"{folder / 'dataset/all_val.json'}: #1 img/Weapon/validation0.png: UnharmPair_text1.Question: missing",
    ]


def test_the_message_shows_twenty_and_counts_the_rest(folder: Path) -> None:
    small.edit(folder, lambda records: [records[0]["unsafe_pairs"].append(7) for _ in range(25)])
    with pytest.raises(BenchmarkError) as caught:
        read(folder)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 5 more"
    assert len(caught.value.problems) == 25


@pytest.mark.parametrize(
    ("change", "rule", "field"),
    [
        (lambda r: r.pop("image_path"), "missing", "image_path"),
        (lambda r: r.update(image_path=7), "type", "image_path"),
        (lambda r: r.update(image_path=""), "path", "image_path"),
        (lambda r: r.update(keyword=["gun"]), "type", "keyword"),
        (lambda r: r.update(id=3.5), "type", "id"),
        (lambda r: r.update(subset=3), "type", "subset"),
        (lambda r: r.update(UnharmPair_text1=[]), "type", "UnharmPair_text1"),
        (lambda r: r["unsafe_pairs"].insert(0, None), "type", "unsafe_pairs[0]"),
        (lambda r: r["unsafe_pairs"][3].pop("question"), "missing", "unsafe_pairs[3].question"),
        (lambda r: r["unsafe_pairs"][3].pop("model_response"), "missing", "unsafe_pairs[3].model_response"),
        (lambda r: r["unsafe_pairs"][3].update(sd_response=False), "type", "unsafe_pairs[3].sd_response"),
        (lambda r: r["UnharmPair_image1"].update(Prediction=5), "type", "UnharmPair_image1.Prediction"),
        (lambda r: r["UnharmPair_image1"].update(Answer="other"), "missing", "UnharmPair_image1"),
        (lambda r: r["UnharmPair_image1"].update(image="img/a.png"), "type", "UnharmPair_image1.image"),
        (lambda r: r["UnharmPair_image1"].update(kind=1.5), "type", "UnharmPair_image1.kind"),
    ],
)
def test_each_wrong_field_is_named(
    folder: Path, change: Callable[[small.Record], object], rule: str, field: str | None
) -> None:
    small.edit(folder, lambda records: change(records[0]))
    found = only(errors(folder))
    assert found[0] == rule
    assert field is None or found[2] == field
    assert str(found[1]).startswith("#1")


def test_an_id_may_be_a_number(folder: Path) -> None:
    small.edit(folder, lambda records: [record.update(id=number) for number, record in enumerate(records)])
    assert {example.record for example in read(folder).examples} >= {"0", "1"}


def test_what_stands_twice_in_an_object_and_an_empty_list_are_told(folder: Path) -> None:
    path = folder / "dataset/all_train.json"
    path.write_text(path.read_text().replace('"question"', '"question": "First?", "question"', 1))
    (folder / "dataset/all_val.json").write_text("[]")
    found = [str(problem).removeprefix(f"{folder}/dataset/") for problem in read(folder).problems]
    assert "all_train.json: 'question' stands twice in one object; the last is read" in found
    assert "all_val.json: an empty list" in found


def test_one_id_twice(folder: Path) -> None:
    small.edit(folder, lambda records: records.append(records[0]))
    (problem,) = errors(folder)
    assert (problem.rule, problem.field, problem.message) == (
        "id",
        None,
        "the same id as in #1 img/Weapon/train0.png",
    )


def test_one_id_in_two_splits_is_two_ids(folder: Path) -> None:
    for name in small.FILES.values():
        small.edit(folder, lambda records: records[0].update(id="same"), name)
    ids = [example.id for example in read(folder).examples]
    assert len(set(ids)) == len(ids) == 72


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../outside.png", "path with '..'"),
        ("img/../../outside.png", "path with '..'"),
        ("/etc/hostname", "absolute path"),
        ("C:\\pictures\\a.png", "absolute path"),
        ("\\\\host\\a.png", "absolute path"),
        ("img/\u0000a.png", "control characters"),
        ("img/\u009b31ma.png", "control characters"),
        ("img", "not a regular file"),
        ("img/" + "x" * 300, "File name too long"),
        ("img/Weapon/train0.png/a", "Not a directory"),
        (".", "not a regular file"),
    ],
)
def test_paths_that_are_not_followed(folder: Path, path: str, said: str) -> None:
    small.draw(folder.parent / "outside.png")
    small.edit(folder, lambda records: records[0].update(SDImage_path=path))
    (problem,) = errors(folder)
    assert (problem.rule, problem.field) == ("path", "SDImage_path")
    assert said in problem.message
    assert str(problem).isprintable()


def _link_to_picture(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "a.png")


def _link_to_itself(path: Path, _: Path) -> None:
    path.symlink_to(path.name)


def _pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def _empty(path: Path, _: Path) -> None:
    path.touch()


def _sparse(path: Path, _: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)


@pytest.mark.parametrize(
    ("lay", "said"),
    [
        (_link_to_picture, "leads outside the folder"),
        (_link_to_itself, "symbolic links"),
        (_pipe, "not a regular file"),
        (_empty, "empty file"),
        (_sparse, "more than 67,108,864 bytes"),
    ],
)
@pytest.mark.parametrize("name", ["img/Weapon/train0.png", "dataset/all_train.json"])
def test_files_that_are_not_opened(folder: Path, name: str, lay: Callable[[Path, Path], None], said: str) -> None:
    small.draw(folder.parent / "outside/a.png")
    (folder / name).unlink()
    lay(folder / name, folder.parent / "outside")
    (problem,) = errors(folder)
    assert said.replace("67,", "134,").replace("108,864", "217,728") in problem.message or said in problem.message


@pytest.mark.parametrize("name", ["img", "img/Weapon", "dataset"])
def test_folders_that_lead_outside(folder: Path, name: str) -> None:
    outside = folder.parent / "outside"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    assert {problem.message.partition(":")[0] for problem in errors(folder)} >= {"leads outside the folder"}


def test_links_inside_are_followed(folder: Path) -> None:
    (folder / "img").rename(folder / "pictures")
    (folder / "img").symlink_to("pictures")
    (folder.parent / "link").symlink_to(folder)
    benchmark = read(folder.parent / "link")
    assert len(benchmark.examples) == 72
    assert benchmark.examples[0].image == folder.parent / "link/img/Weapon/train0.png"


def _train(folder: Path) -> bytes:
    return (folder / "dataset/all_train.json").read_bytes()


def test_broken_json_says_where_and_how_much_is_whole(folder: Path) -> None:
    content = _train(folder)
    small.raw(folder, content[: content.rindex(b"UnharmPair_text1")])
    (problem,) = errors(folder)
    assert problem.rule == "json"
    assert "at line 1 column" in problem.message
    assert "1 whole records before that" in problem.message


def test_a_broken_line_of_json_lines(folder: Path) -> None:
    one, two = (json.dumps(record) for record in small.load(folder))
    small.raw(folder, f"{one}\n{two[:40]}\n\n{two}\n".encode())
    assert only(errors(folder)) == ("json", "#2", None)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ",\n"])
def test_json_lines_as_other_programs_end_them(folder: Path, end: str) -> None:
    expected = read(folder).examples
    small.raw(folder, "".join(f"{json.dumps(record)}{end}" for record in small.load(folder)).encode())
    assert read(folder).examples == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b" \n", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"PK\3\4", "a zip archive"),
        (b"<html>", "a web page"),
        (b"[]" + bytes(9), "holds NUL characters"),
        (b"7", "expected an object, found a number 7"),
        (b"{'a'}", "neither a JSON list nor JSON lines"),
        (b'{"idk": [\n1,\n2]}', "neither a JSON list nor JSON lines"),
        (b"[1, 2", "not JSON"),
        (b"[1]", "expected an object, found a number 1"),
        (b"[[]]", "expected an object, found a list"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"[1]]", "not JSON (Extra data"),
    ],
)
def test_what_is_no_list_of_records(folder: Path, content: bytes, said: str) -> None:
    small.raw(folder, content)
    assert any(said in problem.message for problem in errors(folder))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"NaN", "expected text, found a number nan"),
        (b"1e400", "expected text, found a number inf"),
    ],
)
def test_json_that_others_read_and_we_do_not(folder: Path, value: bytes, said: str) -> None:
    content = _train(folder)
    assert content.count(b'"How is this used, train 0, 2?"') == 1
    small.raw(folder, content.replace(b'"How is this used, train 0, 2?"', value))
    (problem,) = errors(folder)
    assert problem.record == "#1 img/Weapon/train0.png"
    assert problem.field == "unsafe_pairs[2].question"
    assert said in problem.message


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_json_in_other_encodings(folder: Path, encoding: str) -> None:
    text = json.dumps([{**record, "keyword": "caf\xe9"} for record in small.load(folder)], ensure_ascii=False)
    small.raw(folder, text.encode(encoding))
    benchmark = read(folder)
    assert {one.keyword for one in benchmark.examples if one.split is Split.TRAIN} >= {"caf\xe9"}
    assert any("Windows-1252" in problem.message for problem in benchmark.problems) == (encoding == "cp1252")


def test_half_a_surrogate_pair_is_replaced(folder: Path) -> None:
    small.edit(folder, lambda records: records[0]["unsafe_pairs"][0].update(question="odd \ud800 text"))
    assert read(folder).examples[0].question == "odd \ufffd text"


def test_empty_answers_are_pairs_without_one(folder: Path) -> None:
    def empty(records: list[small.Record]) -> None:
        records[0]["unsafe_pairs"][0]["model_response"] = ""
        records[0]["unsafe_pairs"][1]["sd_response"] = " "
        records[0]["UnharmPair_text1"]["Prediction"] = None

    small.edit(folder, empty)
    benchmark = read(folder)
    examples, base = by_id(benchmark), "train/img/Weapon/train0"
    assert examples[f"{base}/forget1"].answer == ""
    assert not {f"{base}/decoupled2", f"{base}/text1"} & examples.keys()
    assert [problem.rule for problem in benchmark.problems] == ["empty"] * 3


def test_neighbour_pairs_of_others_are_retain_examples(folder: Path) -> None:
    pair = {"question": "What is beside it?", "model_response": "A wall."}
    small.edit(folder, lambda records: records[0].update(safeNb_pairs=[pair], type="paired"))
    found = [one for one in read(folder).examples if one.kind == "neighbour"]
    assert [(one.stream, one.question, one.pair) for one in found] == [(Stream.RETAIN, "What is beside it?", "image3")]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("hate_speech", "HateSpeech"), ("illegal-activity", "IllegalActivity"), ("WEAPON", "Weapon"), ("Own", "Own")],
)
def test_categories_are_spelt_as_in_the_paper(folder: Path, written: str, read_as: str) -> None:
    small.edit(folder, lambda records: records[0].update(category=written))
    benchmark = read(folder)
    assert benchmark.examples[0].category == read_as
    assert [one.rule for one in benchmark.problems] == ["category"] * (written != read_as)


@pytest.mark.parametrize(
    ("value", "rule", "field"),
    [
        (["No."], "type", None),
        ({"idk": "No."}, "type", "idk"),
        ({}, "missing", "idk"),
        ({"idk": ["No.", ""]}, "empty", "idk[1]"),
        ({"idk": [None]}, "type", "idk[0]"),
    ],
)
def test_prompts_of_the_wrong_form(folder: Path, value: Any, rule: str, field: str | None) -> None:
    small.dump(folder, "prompt.json", value)
    assert only(errors(folder)) == (rule, None, field)


def test_two_files_for_one_split(folder: Path) -> None:
    small.raw(folder, _train(folder), "all_train.jsonl")
    assert only(errors(folder))[0] == "file"


@pytest.mark.parametrize("name", ["none", "empty", "file"])
def test_no_benchmark_at_all(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert only(errors(tmp_path / name))[0] == "file"


def test_records_without_any_pair(tmp_path: Path) -> None:
    small.draw(tmp_path / "img/a.png")
    small.dump(tmp_path, "all_train.json", [{"image_path": "img/a.png"}])
    assert "no pairs in any record" in str(errors(tmp_path)[0])


def test_a_model_s_answers_are_no_benchmark(folder: Path) -> None:
    def answered(records: list[small.Record]) -> None:
        for pair in records[0]["unsafe_pairs"]:
            pair["model_response1"] = pair.pop("model_response")

    small.edit(folder, answered)
    assert {problem.message for problem in errors(folder)} == {
        "model_response is missing; these are a model's answers, not a benchmark"
    }
