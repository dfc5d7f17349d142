"""Away from a terminal, a line now and then instead of a bar."""

import pytest

from safeeraser import progress
from safeeraser.progress import ProgressBar


def test_lines_are_rare_and_the_last_one_is_always_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 5.0, 25.0, 26.0, 30.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with ProgressBar("train", 10, done=2) as bar:
        bar.advance(loss=3.0)  # 5 s
        bar.advance(loss=2.0)  # 25 s
        bar.advance(loss=1.5)  # 26 s
        bar.advance(5, loss=1.0)  # 30 s
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["train 4/10 loss 2.000 75 s left", "train 10/10 loss 1.000 0 s left"]


def test_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with ProgressBar("train", 4) as bar:
        bar.advance(4, loss=0.25)
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "loss 0.250" in shown
