"""A short run of the fuzz, and proof that it can fail."""

import json
import os
import random
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeeraser.benchmarks.reading import folder as folder_module
from safeeraser.benchmarks.reading.problems import Collector, Problem, Spot
from safeeraser.benchmarks.reading.strict_json import clean, read_records
from safeeraser.benchmarks.released.rows import read_rows
from safeeraser.benchmarks.tools import fuzz as fuzz_module
from safeeraser.benchmarks.tools.check import Findings, check
from safeeraser.benchmarks.tools.fuzz import fuzz, main
from safeeraser.benchmarks.tools.mutations import MUTATIONS, NothingLeftError, Spoiler


def test_spoilt_copies_are_read_or_refused(original: Path) -> None:
    outcome = fuzz(original, count=40, seed=1)
    assert outcome.failures == ()
    assert outcome.read + outcome.refused == 40
    assert min(outcome.read, outcome.refused) > 5
    assert outcome.peak > 10


@pytest.mark.slow
def test_a_thousand_spoilt_copies(original: Path) -> None:
    outcome = fuzz(original, count=1000, seed=233)
    assert outcome.failures == ()


def test_equal_seeds_spoil_equally(original: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(original, tmp_path / "copy")
        spoiler = Spoiler(tmp_path / "copy", tmp_path / "outside", random.Random(3))
        for mutation in ("drop_field", "odd_text", "flip_image_bytes", "raw_value", "truncate_json"):
            getattr(spoiler, mutation)()
        (tmp_path / "copy").rename(tmp_path / name)
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.*")} for name in ("a", "b")]
    assert files[0] == files[1]
    assert files[0] != {path.name: path.read_bytes() for path in original.rglob("*.*")}


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_changes_something_or_nothing_is_left(original: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(original, tmp_path / "copy")
    before = _state(tmp_path / "copy")
    for seed in range(20):
        getattr(Spoiler(tmp_path / "copy", tmp_path / "outside", random.Random(seed)), name)()
        if _state(tmp_path / "copy") != before:
            break
    assert _state(tmp_path / "copy") != before
    shutil.rmtree(tmp_path / "copy")
    with pytest.raises(NothingLeftError):
        getattr(Spoiler(tmp_path / "copy", tmp_path / "outside", random.Random(0)), name)()


def _state(folder: Path) -> list[Any]:
    return [(path, path.lstat().st_mode, path.lstat().st_size, _content(path)) for path in sorted(folder.rglob("*"))]


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() and path.stat().st_size < 2**20 else b""


@pytest.mark.parametrize("name", MUTATIONS)
def test_no_mutation_reads_a_terabyte(original: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(original, tmp_path / "copy")
    (tmp_path / "outside").mkdir()
    for path in (tmp_path / "copy" / "dataset").iterdir():
        os.truncate(path, 2**40)
    with suppress(NothingLeftError):
        getattr(Spoiler(tmp_path / "copy", tmp_path / "outside", random.Random(1)), name)()


def test_a_reader_that_follows_links_is_caught(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module.Folder, "_inside", lambda self, text: self.root / text)
    monkeypatch.setattr(fuzz_module, "MUTATIONS", ("link_outside", "bad_path"))
    outcome = fuzz(original, count=8, seed=1)
    assert any("outside/bait" in failure.what for failure in outcome.failures)


def test_a_reader_that_crashes_is_caught(
    original: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(folder: Path, **settings: Any) -> Findings:
        return {}["nothing"] if folder.name == "copy" else check(folder, **settings)

    monkeypatch.setattr(fuzz_module, "check", crash)
    assert main([str(original), "--count", "2", "--seed", "1", "--first", "7"]) == 1
    printed = capsys.readouterr().out
    assert re.findall(r"^copy (\d+)", printed, re.MULTILINE) == ["7", "8"]
    assert "KeyError: 'nothing'" in printed
    assert "2 handled badly" in printed


def test_a_message_that_a_terminal_would_obey_is_caught(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def speak(folder: Path, **settings: Any) -> Findings:
        problem = Problem(folder, None, None, "\x1b[2J", "warning", "key")
        return Findings((problem,), {}) if folder.name == "copy" else check(folder, **settings)

    monkeypatch.setattr(fuzz_module, "check", speak)
    assert "no line of text" in fuzz(original, count=1, seed=4).failures[0].what


# What is below: any bytes, and any JSON


def _spot() -> Spot:
    return Spot(Collector(), Path("file.json"))


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=8,
)


@given(st.binary() | st.text(alphabet='[]{}",:0a\\ \n').map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_rows_or_a_problem(content: bytes) -> None:
    spot = _spot()
    rows = read_rows(content, spot)
    problems = spot.collector.problems()
    assert rows or problems or content.strip() == b"[]" or not any(content)
    assert all(str(problem).isprintable() for problem in problems)


@given(st.lists(_JSON, min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_what_json_holds_is_read_as_it_is(values: list[Any]) -> None:
    spot = _spot()
    content = json.dumps(values).encode()
    assert [clean(value, spot) for _, value in read_records(content, spot)] == values
    assert spot.collector.problems() == []


@given(st.lists(st.dictionaries(st.text(), _JSON, max_size=3), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_lines_and_lists_hold_the_same(values: list[dict[str, Any]]) -> None:
    lines = "\n".join(json.dumps(value, ensure_ascii=False) for value in values).encode()
    spot = _spot()
    assert read_records(lines, spot) == read_records(json.dumps(values).encode(), spot)


@given(st.lists(st.dictionaries(st.text(), _JSON, max_size=3), min_size=1, max_size=4), st.data())
@settings(max_examples=200, deadline=None)
def test_a_cut_list_gives_its_whole_records(values: list[dict[str, Any]], data: st.DataObject) -> None:
    text = json.dumps(values)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    spot = _spot()
    found = [value for _, value in read_records(cut.encode(), spot)]
    assert found == values[: len(found)]
    assert len(spot.collector.problems()) == 1
    whole = [len(json.dumps(values[:count])) for count in range(1, len(values) + 1)]
    assert len(found) == sum(length <= len(cut) for length in whole) - (cut == text)
