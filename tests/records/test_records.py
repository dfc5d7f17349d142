"""Record files: what is written is read back, and what is not a record is named with its line and field."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from safeeraser.errors import UserError
from safeeraser.files import write_text
from safeeraser.records import (
    Axis,
    Example,
    Generation,
    RecordError,
    Split,
    Stream,
    Verdict,
    read_jsonl,
    repair_jsonl,
    write_jsonl,
)

ANSWER = '{"example_id": "a", "sample": 0, "answer": "x", "finish": "stop"}'
VERDICT = '{"example_id": "a", "sample": 0, "judge": "j@1", "axis": "unsafe", "value": 1}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


@pytest.mark.parametrize("image", [None, Path("a/b.png")])
def test_there_and_back(file: Path, image: Path | None) -> None:
    asked = Example(id="a", split=Split.TRAIN, stream=Stream.FORGET, image=image, question="q\u2028\r\x1b", answer="")
    said = Verdict(example_id="a", sample=0, judge="j", axis=Axis.UNSAFE, value=None, failure="tie")
    write_jsonl(file, [asked, asked])
    assert read_jsonl(file, Example) == [asked, asked]
    write_jsonl(file, [said])
    assert read_jsonl(file, Verdict) == [said]


def test_a_share_may_be_written_as_a_whole_number(file: Path) -> None:
    file.write_text(VERDICT + "\n")
    (found,) = read_jsonl(file, Verdict)
    assert (found.value, found.axis, found.failure) == (1.0, Axis.UNSAFE, None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (ANSWER.replace('"x"', "null"), "answer must be str, not null"),
        (ANSWER.replace("0", '"0"'), 'sample must be int, not "0"'),
        (ANSWER.replace("0", "true"), "sample must be int, not true"),
        (ANSWER.replace('"sample": 0, ', ""), "no field 'sample', which every Generation has"),
        (ANSWER.replace("sample", "simple"), "unknown field 'simple'"),
        (f"[{ANSWER}]", "expected an object, found list"),
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (ANSWER.replace("0", "1" * 5_000), "not JSON"),
    ],
)
def test_what_is_no_answer(file: Path, line: str, message: str) -> None:
    file.write_text(f"{ANSWER}\n{line}\n")
    with pytest.raises(RecordError) as caught:
        read_jsonl(file, Generation)
    assert str(caught.value).startswith(f"{file}:2: {message}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            VERDICT.replace("unsafe", "unsfe"),
            "axis must be unsafe or refusal or partial or meaningless or factual, not",
        ),
        (VERDICT.replace("1}", '"1"}'), 'value must be float or null, not "1"'),
        (VERDICT.replace("1}", "1e400}"), "value must be a number that a float can hold, not Infinity"),
        (VERDICT.replace("1}", "NaN}"), "value must be a number that a float can hold, not NaN"),
        (VERDICT.replace("1}", "1" + "0" * 400 + "}"), "value must be a number that a float can hold, not 1000000000"),
        (VERDICT.replace('"sample": 0', '"sample": 1' + "0" * 400), "sample must be a number that a float can hold"),
    ],
)
def test_what_is_no_verdict(file: Path, line: str, message: str) -> None:
    file.write_text(line + "\n")
    with pytest.raises(RecordError) as caught:
        read_jsonl(file, Verdict)
    assert f"{file}:1: {message}" in str(caught.value)


def test_a_file_that_is_no_text(file: Path) -> None:
    file.write_bytes(b"\x89PNG\r\n\xff\n")
    with pytest.raises(RecordError, match=r"records\.jsonl:1: not JSON"):
        read_jsonl(file, Generation)


@pytest.mark.parametrize("kept", range(1, len(ANSWER) + 1))
def test_a_last_line_that_a_kill_cut_is_left_out_and_a_whole_one_is_not(file: Path, kept: int) -> None:
    file.write_text(f"{ANSWER}\n{ANSWER[:kept]}")
    assert len(read_jsonl(file, Generation)) == (2 if kept == len(ANSWER) else 1)
    repair_jsonl(file)  # for who goes on writing it is the same
    assert file.read_text() == f"{ANSWER}\n" * (2 if kept == len(ANSWER) else 1)


@pytest.mark.parametrize("content", ["[1, 2]", '[\n {"a": 1}\n]', "a\nb", "\xff"])
def test_nothing_is_cut_off_a_file_of_something_else(file: Path, content: str) -> None:
    """As of `--verdicts answers.json`: the list without a last line break was cut to nothing, and written over."""
    file.write_text(content)
    with pytest.raises(UserError, match=r"records\.jsonl: ends in something else than a record"):
        repair_jsonl(file)
    assert file.read_text() == content


def test_a_device_is_neither_replaced_nor_read_to_its_end(tmp_path: Path) -> None:
    """A pipe stands for /dev/null and /dev/full, which whoever runs in a container may write to."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for use in (lambda: write_text(pipe, "text"), lambda: repair_jsonl(pipe)):
        with pytest.raises(UserError, match="pipe: not a file"):
            use()
    assert pipe.is_fifo()
