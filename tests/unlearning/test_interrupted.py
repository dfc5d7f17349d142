"""A run that is killed at any moment, and started again, ends in the adapter of a run that never stopped, bit for bit.

The runs are processes of their own, killed from outside by SIGKILL, wherever that finds them: in a step, while a
checkpoint or the adapter is written, or while the next process starts.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from transformers import TrainerState

from safeeraser.records import Split
from safeeraser.unlearning.output import Output
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random

SETTINGS = UnlearnSettings(
    steps=14, batch_size=2, accumulation=2, learning_rate=1e-2, lora_r=4, lora_alpha=8, lora_dropout=0.2, save_steps=3
)
STOPPING = SETTINGS.changed(
    steps=40,
    save_steps=None,
    eval_steps=2,
    patience=2,
    eval_rows=4,
    learning_rate=0.03,
    lr_scheduler="constant",
)


def train(pictures: Path, output: Path, settings: UnlearnSettings, die_writing: int = -1) -> None:
    """One run, from its start or from where it was; killed in the midst of writing checkpoint `die_writing`."""
    write = TrainerState.save_to_json

    def die(self: TrainerState, path: str) -> None:
        if self.global_step == die_writing:
            Path(path).write_text('{"best_metric": nu')
            os.kill(os.getpid(), signal.SIGKILL)
        write(self, path)

    TrainerState.save_to_json = die  # type: ignore[method-assign]
    examples = tiny_random.examples(pictures)
    examples += [replace(each, split=Split.SELECTION, answer=each.answer[::-1]) for each in examples]
    unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, "po+pd", settings, output)


class Runs:
    """Processes that train, started from one that has imported everything."""

    def __init__(self, pictures: Path) -> None:
        self._pictures = pictures
        self._context = multiprocessing.get_context("forkserver")

    def start(self, output: Path, settings: UnlearnSettings, die_writing: int = -1) -> BaseProcess:
        process = self._context.Process(target=train, args=(self._pictures, output, settings, die_writing))
        process.start()
        return process

    def to_the_end(self, output: Path, settings: UnlearnSettings) -> None:
        process = self.start(output, settings)
        process.join(300)
        assert process.exitcode == 0

    def killed(self, output: Path, settings: UnlearnSettings, lines: int) -> bool:
        """Kill it once its log has so many lines; False where it ended before."""
        process = self.start(output, settings)
        while process.is_alive() and logged(output) < lines:
            time.sleep(0.002)
        process.kill()
        process.join()
        return process.exitcode == -signal.SIGKILL


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    multiprocessing.set_forkserver_preload([__name__])
    return Runs(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def straight(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight") / "run"
    runs.to_the_end(folder, SETTINGS)
    return folder


def logged(folder: Path) -> int:
    log = folder / "loss.jsonl"
    return len(log.read_text().splitlines()) if log.exists() else 0


def content(folder: Path) -> dict[str, bytes]:
    """What must not depend on how often a run was stopped."""
    files = ("loss.jsonl", "adapter/adapter_model.safetensors", "adapter/adapter_config.json")
    return {name: (folder / name).read_bytes() for name in files}


def left_over(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"adapter", "loss.jsonl", "manifest.json"}


def test_killed_again_and_again(runs: Runs, straight: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    draw = random.Random(os.getpid())  # another place every time; any must do
    lines = sorted(draw.sample(range(1, 14), 3))
    kills = [runs.killed(folder, SETTINGS, at) for at in lines]
    runs.to_the_end(folder, SETTINGS)
    assert any(kills)
    assert content(folder) == content(straight), lines
    assert not left_over(folder)


def test_killed_while_a_checkpoint_is_written(runs: Runs, straight: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = runs.start(folder, SETTINGS, die_writing=9)
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    assert (folder / "checkpoints" / "checkpoint-9" / "trainer_state.json").exists()
    assert Output(folder, {}).resume()[0] == 6
    runs.to_the_end(folder, SETTINGS)
    assert content(folder) == content(straight)


def test_patience_is_kept_over_a_kill(runs: Runs, tmp_path: Path) -> None:
    """What is learned makes other answers, those of the selection rows, less likely, so that training stops early."""
    straight, folder = tmp_path / "straight", tmp_path / "run"
    runs.to_the_end(straight, STOPPING)
    found = json.loads((straight / "manifest.json").read_text())
    assert found["stopped_early"]
    stop, best = found["steps"], found["best_step"]
    assert stop == best + 4  # two evaluations no better than the best, two steps apart
    assert runs.killed(folder, STOPPING, logged(straight) - 2)
    runs.to_the_end(folder, STOPPING)
    assert content(folder) == content(straight)
