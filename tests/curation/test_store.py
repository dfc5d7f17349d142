"""What a stage made is there again, whatever happened to the process."""

from pathlib import Path

import pytest

from safeeraser.curation.store import Entry, Store, content_key
from safeeraser.errors import UserError


def test_a_half_written_line_is_made_again_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "stage.jsonl"
    Store(path).add([Entry("a", "first", ["x"]), Entry("b", "second", ["y"])])
    path.write_bytes(path.read_bytes()[:-7])
    store = Store(path)
    assert store.get("a") == Entry("a", "first", ["x"])
    assert store.get("b") is None
    store.add([Entry("b", "second", ["z"])])
    assert Store(path).get("b") == Entry("b", "second", ["z"])


def test_failures_are_counted_and_never_taken_for_a_result(tmp_path: Path) -> None:
    store = Store(tmp_path / "stage.jsonl")
    store.add([Entry("a", "first", failure="ill"), Entry("a", "first", failure="ill")])
    again = Store(tmp_path / "stage.jsonl")
    assert (again.get("a"), again.attempts("a"), again.attempts("b")) == (None, 2, 0)


@pytest.mark.parametrize("line", [b'{"colour": 1}', b'{"key": [], "item": "b"}', b"\xff\xfe", b"[" * 9999])
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "stage.jsonl"
    path.write_bytes(b'{"key": "a", "item": "b"}\n' + line + b"\n")
    with pytest.raises(UserError, match=r"stage\.jsonl:2: not an entry"):
        Store(path)


def test_a_key_depends_on_every_value_and_on_no_order() -> None:
    assert content_key(a=1, b="x") == content_key(b="x", a=1)
    assert len({content_key(a=1), content_key(a="1"), content_key(b=1), content_key(a=1, b=None)}) == 4
