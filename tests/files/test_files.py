"""A file is there whole or not at all, JSON is valid, and what is there is not written over."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from safeeraser.errors import UserError
from safeeraser.files import append_text, remove_scratch, require_new, whole_file, whole_folder, write_json, write_text
from safeeraser.records import Likelihood, write_jsonl
from tests.files.room import no_room


def test_a_file_keeps_its_old_content_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.txt"
    write_text(target, "old\r\n")
    with suppress(KeyboardInterrupt), whole_file(target) as scratch:
        scratch.write_text("half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old\r\n"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]
    with whole_file(target) as scratch:
        scratch.write_text("new")
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_file_for_which_there_is_no_room_is_named(tmp_path: Path) -> None:
    log, weights = tmp_path / "log.jsonl", tmp_path / "weights.safetensors"
    append_text(log, "{}\n")
    with no_room(1000):
        with pytest.raises(OSError, match=r"log\.jsonl"):
            append_text(log, 2000 * " ")
        with pytest.raises(OSError, match=r"report\.md"):
            write_text(tmp_path / "report.md", 2000 * " ")
        with pytest.raises(UserError, match=f"{weights}: Error while serializing"), whole_file(weights) as scratch:
            save_file({"one": torch.ones(1000)}, scratch)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_what_a_kill_leaves_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name, writes in (("a.txt", whole_file), ("folder", whole_folder)):
        writes(tmp_path / name).__enter__()  # and never the end of it
    mine = [tmp_path / name for name in (".a.txt.backup", ".a.txt", "b.txt")]
    for path in mine:
        path.touch()
    remove_scratch(tmp_path / "a.txt")
    remove_scratch(tmp_path / "folder")
    assert sorted(tmp_path.iterdir()) == sorted(mine)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_json_does_not_have_is_not_written(tmp_path: Path, number: float) -> None:
    with pytest.raises(UserError, match=r"m\.json: .*JSON"):
        write_json(tmp_path / "m.json", {"value": [number]})
    record = Likelihood(example_id="a", role="answer", number=0, text="x", logprob=number, first=0.0, tokens=1)
    with pytest.raises(UserError, match=r"l\.jsonl: .*JSON"):
        write_jsonl(tmp_path / "l.jsonl", [record])
    assert not list(tmp_path.iterdir())


def test_a_line_that_a_kill_cut_is_closed_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.jsonl"
    append_text(path, "1\n")
    with path.open("a") as file:
        file.write('{"cut')
    append_text(path, "2\n")
    assert path.read_text() == '1\n{"cut\n2\n'


def test_only_nothing_and_an_empty_folder_are_new(tmp_path: Path) -> None:
    for name in ("none", "empty"):
        require_new(tmp_path / name)
        (tmp_path / "empty").mkdir(exist_ok=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "full" / "inside").mkdir(parents=True)
    for name in ("file", "link", "full"):
        with pytest.raises(UserError, match=f"{name} exists already; choose another"):
            require_new(tmp_path / name, "choose another")
