"""What a run took: a clock for each stage, a file that adds up all starts, and the stages with what is known of them.

The file is `costs.json` in a run's folder, in that of attacks and of a sweep's trial, `<file>.costs.json` beside
likelihoods.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from safeeraser import launched
from safeeraser.errors import UserError, explained
from safeeraser.files import remove_scratch, write_json
from safeeraser.records import VANILLA, Cost
from safeeraser.runs.folder import RunFolder

SECONDS = 10.0
"""Between two writes of a clock that runs: what a kill loses at most."""

JUDGING, LIKELIHOOD, ATTACKS, TRIAL = "judging", "likelihood", "attacks", "trial"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage, what it has done ("240 answers"), and what that took: None where nobody noted it."""

    name: str
    done: str
    cost: Cost | None


@contextmanager
def clock(file: Path, stage: str, spent: Callable[[], Cost] = Cost) -> Iterator[None]:
    """Add to the file what the block takes: its time, and what `spent` grows by. Of several processes the main writes.

    The file has one writer at a time, and is written whole every few seconds, so that a kill loses little.
    """
    if not launched.is_main():
        yield
        return
    remove_scratch(file)
    before, asked, begin = read(file), spent(), time.monotonic()

    def save() -> None:
        taken = Cost(seconds=round(time.monotonic() - begin, 3)) + (spent() - asked)
        now = {**before, stage: before.get(stage, Cost()) + taken}
        write_json(file, {name: asdict(cost) for name, cost in now.items()})

    def beat() -> None:
        while not done.wait(SECONDS):
            save()

    done, beating = threading.Event(), threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()
        save()


def read(file: Path) -> dict[str, Cost]:
    """What each stage took so far; nothing where there is no file. Raises UserError where it is not such a file."""
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        for each in (figure for cost in found.values() for figure in cost.values()):
            if type(each) not in (int, float) or not math.isfinite(each):
                raise ValueError(f"{json.dumps(each):.40} is no figure")
        return {str(name): Cost(**cost) for name, cost in found.items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(f"{file}: cannot be read ({error}); remove it, and what was noted is unknown") from error


def beside(output: Path) -> Path:
    """The file of what likelihoods in a file took."""
    return output.with_name(f"{output.name}.costs.json")


def stages(folder: RunFolder, methods: Sequence[str]) -> list[Stage]:
    """The stages of a run or an evaluation that is finished, with likelihoods and attacks in its folder."""
    known = read(folder.costs)
    answers = {name: _lines([folder.generations(name)]) for name in methods}
    trained = [name for name in methods if name != VANILLA and folder.adapter(name).exists()]
    return [
        *(_stage(known, training(name), f"{_steps(folder.model(name)):,} steps") for name in trained),
        *(_stage(known, answering(name), f"{count:,} answers") for name, count in answers.items()),
        _stage(known, JUDGING, f"{sum(answers.values()):,} answers"),
        *_likelihoods(folder.root / LIKELIHOOD),
        *attacked(folder.root / ATTACKS),
    ]


def attacked(folder: Path) -> list[Stage]:
    """What attacks in a folder took, judging included; nothing where there are none."""
    made = [*folder.glob("*/*/generations/*.jsonl")]
    return [_stage(read(RunFolder(folder).costs), ATTACKS, f"{_lines(made):,} answers")] if made else []


def tried(root: Path, methods: Sequence[str]) -> list[Stage]:
    """What the trials of a sweep took, a method's together, and the answers before unlearning."""
    before = root / VANILLA
    asked = f"{_lines([*before.glob('generations.jsonl')]):,} answers"
    made = {name: [each for each in (root / "trials" / name).iterdir() if each.is_dir()] for name in methods}
    return [
        Stage(answering(VANILLA), asked, _of_trials([before])),
        *(Stage(f"trials of {name}", f"{len(each):,} trials", _of_trials(each)) for name, each in made.items()),
    ]


def training(method: str) -> str:
    """The name of a method's training."""
    return f"training {method}"


def answering(method: str) -> str:
    """The name of a model's answers."""
    return f"answers of {method}"


def _likelihoods(folder: Path) -> list[Stage]:
    made = sorted(folder.glob("*.jsonl"))
    costs = [read(beside(each)).get(LIKELIHOOD) for each in made]
    whole = sum((each for each in costs if each), Cost()) if all(costs) else None
    return [Stage(LIKELIHOOD, f"{_lines(made):,} texts", whole)] if made else []


def _of_trials(folders: Sequence[Path]) -> Cost | None:
    """Unknown where one of them has not noted it."""
    noted = [read(RunFolder(each).costs).get(TRIAL) for each in folders]
    known = [each for each in noted if each is not None]
    return sum(known, Cost()) if len(known) == len(noted) else None


def _stage(known: dict[str, Cost], name: str, done: str) -> Stage:
    return Stage(name, done, known.get(name))


def _steps(trained: Path) -> int:
    manifest = trained / "manifest.json"
    with explained(f"{manifest}: not a training's manifest"):
        return int(json.loads(manifest.read_text(encoding="utf-8")).get("steps", 0))


def _lines(files: Sequence[Path]) -> int:
    return sum(file.read_bytes().count(b"\n") for file in files)
