"""A cached folder is complete or absent: errors, kills and other processes included."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from safeeraser.models.tiny.cache import built_once, cache_folder

_posix = pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")


def _build_slowly(folder: Path, log: Path, killed: bool) -> None:
    def build(folder: Path) -> None:
        with log.open("a") as file:
            file.write("build\n")
        (folder / "half").touch()
        if killed:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.3)
        (folder / "whole").touch()

    built_once(folder, build)
    assert {file.name for file in folder.iterdir()} == {"half", "whole"}


def _start(folder: Path, log: Path, killed: bool = False) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=_build_slowly, args=(folder, log, killed))
    process.start()
    return process


def _exit_code(process: multiprocessing.Process) -> int | None:
    process.join(timeout=30)
    return process.exitcode


def _write(text: str):
    return lambda folder: (folder / "file").write_text(text)


def test_the_argument_beats_the_variable_which_beats_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("SAFEERASER_CACHE", str(tmp_path / "chosen"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder(tmp_path) == tmp_path
    assert cache_folder() == tmp_path / "chosen"
    monkeypatch.delenv("SAFEERASER_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "safeeraser"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "safeeraser"


def test_it_is_built_once(tmp_path):
    folder = tmp_path / "deep" / "folder"
    assert built_once(folder, _write("first")) == folder
    built_once(folder, _write("second"))
    assert (folder / "file").read_text() == "first"


def test_what_is_not_intact_is_built_anew(tmp_path):
    folder = built_once(tmp_path / "folder", _write("damaged"))
    built_once(folder, _write("mended"), intact=lambda folder: (folder / "file").read_text() == "mended")
    assert (folder / "file").read_text() == "mended"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_leaves_nothing_and_the_next_call_succeeds(tmp_path, error):
    def fail(folder: Path) -> None:
        (folder / "file").write_text("half")
        raise error

    with pytest.raises(type(error)):
        built_once(tmp_path / "folder", fail)
    assert {file.name for file in tmp_path.iterdir()} <= {"folder.lock"}
    assert (built_once(tmp_path / "folder", _write("whole")) / "file").read_text() == "whole"


def _aged(folder: Path, days: float) -> Path:
    then = time.time() - days * 24 * 3600
    os.utime(folder, (then, then))
    return folder


def test_a_build_removes_what_other_versions_left_a_week_ago(tmp_path):
    def present(name: str, days: float) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        return _aged(tmp_path / name, days)

    gone = [present(name, 8) for name in ("tiny-0123456789ab", "tiny-0123456789ac.partial")]
    kept = [
        present("tiny-0123456789ad", 6),
        *(present(name, 8) for name in ("tiny-base-0123456789ab", "tiny-x", "other")),
    ]
    built = built_once(tmp_path / "tiny-fedcba987654", _write("new"))
    assert [folder.exists() for folder in gone] == [False, False]
    assert all((folder / "file").read_text() == folder.name for folder in kept)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {
        built.name,
        *(folder.name for folder in kept),
    }


def test_what_is_asked_for_stays(tmp_path):
    old = _aged(built_once(tmp_path / "tiny-0123456789ab", _write("old")), 8)
    assert built_once(old, _write("never")) == old
    built_once(tmp_path / "tiny-fedcba987654", _write("new"))
    assert (old / "file").read_text() == "old"


def test_what_another_process_is_building_stays(tmp_path):
    building = tmp_path / "tiny-0123456789ab.partial"
    building.mkdir()
    _aged(building, 8)
    with FileLock(tmp_path / "tiny-0123456789ab.lock", is_singleton=False):
        built_once(tmp_path / "tiny-fedcba987654", _write("new"))
    assert building.exists()


@_posix
def test_a_killed_build_is_taken_up_by_the_next_process(tmp_path):
    folder, log = tmp_path / "folder", tmp_path / "log"
    assert _exit_code(_start(folder, log, killed=True)) == -signal.SIGKILL
    assert not folder.exists()
    assert _exit_code(_start(folder, log)) == 0
    assert not folder.with_name("folder.partial").exists()


@_posix
def test_of_many_processes_one_builds_and_the_others_wait(tmp_path):
    folder, log = tmp_path / "folder", tmp_path / "log"
    started = [_start(folder, log) for _ in range(4)]
    assert [_exit_code(process) for process in started] == [0, 0, 0, 0]
    assert log.read_text() == "build\n"
