"""Files of the authors' inference become generations of the benchmark's examples."""

from collections.abc import Callable
from pathlib import Path

import pytest

from safeeraser.benchmarks.benchmark import BenchmarkError
from safeeraser.benchmarks.released.answers import Answers, read_answers
from safeeraser.benchmarks.released.read import read
from safeeraser.records import Generation, Split
from tests.benchmarks import small

NAME = "answers.json"


def answer(record: small.Record) -> None:
    """What the authors' inference writes into a record."""
    for number, pair in enumerate(record["unsafe_pairs"]):
        pair |= {f"model_response{sample}": f"harmful {number} sample {sample}" for sample in (1, 2, 3)}
        pair["sd_response"] = f"safe {number}"
    for key in list(record):
        if key.startswith("Unharm"):
            record[key]["Prediction"] = f"retain {key}"


def write(folder: Path, change: Callable[[list[small.Record]], object] = lambda _: None) -> None:
    """An answered copy of the validation file, changed."""
    records = small.load(folder, "all_val.json")
    for record in records:
        answer(record)
    change(records)
    (folder.parent / NAME).write_bytes(b"")
    small.dump(folder, f"../../{NAME}", records)


def answers(folder: Path, split: Split = Split.VALIDATION) -> Answers:
    return read_answers(folder.parent / NAME, read(folder), split)


def test_every_answer_finds_its_example(folder: Path) -> None:
    write(folder)
    found = answers(folder)
    assert found.problems == ()
    base = "validation/img/Weapon/validation0"
    here = {(one.example_id, one.sample): one for one in found.generations}
    assert len(here) == len(found.generations) == 2 * (4 * 3 + 4 + 4)
    assert here[f"{base}/forget2", 0] == Generation(
        example_id=f"{base}/forget2", sample=0, answer="harmful 1 sample 1", finish="stop"
    )
    assert here[f"{base}/forget2", 2].answer == "harmful 1 sample 3"
    assert here[f"{base}/decoupled4", 0].answer == "safe 3"
    assert here[f"{base}/image1", 0].answer == "retain UnharmPair_image1"
    assert {one.example_id for one in found.generations} == {
        example.id for example in read(folder).examples if example.split == Split.VALIDATION
    }


def test_a_link_to_answers_elsewhere_is_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whose path the user gives, not a record."""
    write(folder)
    link = tmp_path_factory.mktemp("elsewhere") / "link.json"
    link.symlink_to(folder.parent / NAME)
    assert read_answers(link, read(folder), Split.VALIDATION) == answers(folder)


def test_empty_answers_count(folder: Path) -> None:
    write(folder, lambda records: records[0]["unsafe_pairs"][0].update(model_response2="", sd_response=" "))
    found = {(one.example_id.rpartition("/")[2], one.sample): one.answer for one in answers(folder).generations[:4]}
    assert found == {("forget1", 0): "harmful 0 sample 1", ("forget1", 1): "", ("forget1", 2): "harmful 0 sample 3",
                     ("decoupled1", 0): " "}  # fmt: skip


def test_an_answer_that_is_missing_is_said_and_left_out(folder: Path) -> None:
    def lose(records: list[small.Record]) -> None:
        for sample in (1, 2, 3):
            records[0]["unsafe_pairs"][0].pop(f"model_response{sample}")
        records[0]["UnharmPair_text1"].pop("Prediction")

    write(folder, lose)
    found = answers(folder)
    assert len(found.generations) == 40 - 4
    assert [(problem.severity, problem.field) for problem in found.problems] == [
        ("warning", "unsafe_pairs[0]"),
        ("warning", "UnharmPair_text1"),
    ]


def test_the_benchmark_s_own_answer_is_suspicious(folder: Path) -> None:
    gold = small.record("validation", 0)["unsafe_pairs"][0]["sd_response"]
    write(folder, lambda records: records[0]["unsafe_pairs"][0].update(sd_response=gold))
    found = answers(folder)
    assert len(found.generations) == 40
    (problem,) = found.problems
    assert problem.field == "unsafe_pairs[0].sd_response"
    assert "own answer" in problem.message


def test_records_in_another_order_find_their_examples(folder: Path) -> None:
    write(folder)
    straight = set(answers(folder).generations)
    write(folder, lambda records: records.reverse())
    assert set(answers(folder).generations) == straight


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        (lambda r: r[0]["unsafe_pairs"].reverse(), "unsafe_pairs[0].question", "another question"),
        (lambda r: r[0]["UnharmPair_text1"].update(Question="?"), "UnharmPair_text1.Question", "another question"),
        (lambda r: r[0]["unsafe_pairs"].append(r[0]["unsafe_pairs"][0]), "unsafe_pairs[4]", "no example"),
        (lambda r: r[1].update(image_path="img/none.png"), "unsafe_pairs[0]", "no example"),
        (lambda r: r[0]["unsafe_pairs"][0].update(model_response1=5), "unsafe_pairs[0].model_response1", "text"),
    ],
)
def test_answers_to_something_else(
    folder: Path, change: Callable[[list[small.Record]], object], field: str, said: str
) -> None:
    write(folder, change)
    with pytest.raises(BenchmarkError) as caught:
        answers(folder)
    assert caught.value.problems[0].field == field
    assert said in caught.value.problems[0].message


def test_the_wrong_split(folder: Path) -> None:
    write(folder)
    with pytest.raises(BenchmarkError, match="no answers to questions of the split train"):
        answers(folder, Split.TRAIN)


@pytest.mark.parametrize("content", [None, b"", b"[", b"[]"])
def test_no_answers_at_all(folder: Path, content: bytes | None) -> None:
    if content is not None:
        (folder.parent / NAME).write_bytes(content)
    with pytest.raises(BenchmarkError, match=NAME):
        answers(folder)


def _read_as_the_authors(folder: Path) -> Answers:
    return read_answers(folder.parent / NAME, read(folder), Split.VALIDATION, as_the_authors=True)


def test_the_authors_pass_over_misspelt_keys_and_a_fourth_sample(folder: Path) -> None:
    def spoil(records: list[small.Record]) -> None:
        records[0]["unsafe_pairs"][0]["model_response4"] = "a fourth"
        records[0]["UnharmPair_text1"]["Predicti1on"] = records[0]["UnharmPair_text1"].pop("Prediction")

    write(folder, spoil)
    strict, paper = set(answers(folder).generations), set(_read_as_the_authors(folder).generations)
    assert {(one.example_id.rpartition("/")[2], one.sample) for one in strict - paper} == {("forget1", 3), ("text1", 0)}
    assert paper < strict


def test_the_authors_count_an_answer_without_its_safe_picture(folder: Path) -> None:
    write(folder, lambda records: records[0].pop("SDImage_path"))
    lost = {one.example_id for one in _read_as_the_authors(folder).generations}
    lost -= {one.example_id for one in answers(folder).generations}
    assert len(lost) == small.PAIRS
    assert all("/decoupled" in one for one in lost)
