"""A folder is there whole or not at all."""

from pathlib import Path

import pytest

from safeeraser.errors import UserError
from safeeraser.files import require_new, whole_folder


def test_it_appears_when_the_block_ends(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "deep" / "new") as scratch:
        (scratch / "a.txt").write_text("a")
        (scratch / "a.txt").chmod(0o600)
        assert not (tmp_path / "deep" / "new").exists()
    assert (tmp_path / "deep" / "new" / "a.txt").read_text() == "a"
    assert (tmp_path / "deep" / "new" / "a.txt").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["new"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def write_half() -> None:
        with whole_folder(tmp_path / "new") as scratch:
            (scratch / "a.txt").write_text("a")
            raise error

    with pytest.raises(error):
        write_half()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [".", ".."])
def test_the_current_folder_is_no_new_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written comes to lie beside it first, and there is no name for that."""
    (tmp_path / "empty" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty" / "below")
    message = rf"^{name.replace('.', '[.]')}: a new folder has a name; from the folder above, name "
    with pytest.raises(UserError, match=message), whole_folder(Path(name)):
        pytest.fail("it was begun")
    with pytest.raises(UserError, match=message):
        require_new(Path(name))
    assert [path.name for path in (tmp_path / "empty").rglob("*")] == ["below"]


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="old exists already"), whole_folder(tmp_path / "old") as scratch:
        (scratch / "a.txt").write_text("a")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old" / "mine.txt").read_text() == "keep"
