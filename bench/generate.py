"""Answers and tokens a second, and answers that differ: `safeeraser.generation` against the usual loop.

    python -m bench.generate --limit 24
    python -m bench.generate --limit 24 --dtype float32

The usual loop takes one example at a time, as model cards show: the processor's chat template, `model.generate`,
decode. Both see the same examples, are greedy and answer until the model stops or the limit is reached; both have
answered once before the clock starts. They take turns, round by round, and the seconds are the sum of all rounds.
On a machine that does other work too, what counts is the speed-up by CPU seconds.
In float32 no answer should differ; in bfloat16 a batch is rounded differently from a single example.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from safeeraser.benchmarks import icons
from safeeraser.benchmarks.released import read as released
from safeeraser.benchmarks.selection import Part, choose
from safeeraser.generation.run import generate
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.load import LoadedModel, load
from safeeraser.records import Example, Generation, read_jsonl

_COLUMNS = (
    "",
    "answers",
    "seconds",
    "CPU seconds",
    "answers/s",
    "tokens/s",
    "speed-up",
    "by CPU",
    "answers that differ",
)
Answers = dict[str, str]
Way = Callable[[Sequence[Example]], Answers]


@dataclass
class Timed:
    """One way to make answers, with the time it took so far: of the clock, and of all processor cores."""

    name: str
    way: Way
    model: Any
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    tokens: int = 0

    def __call__(self, examples: Sequence[Example]) -> Answers:
        """The answers, time and tokens added up."""
        wall, cpu = time.perf_counter(), time.process_time()
        with mock.patch.object(self.model, "generate", partial(self._generate, self.model.generate)):
            answers = self.way(examples)
        self.seconds += time.perf_counter() - wall
        self.cpu_seconds += time.process_time() - cpu
        return answers

    def _generate(self, generate: Callable[..., Tensor], **inputs: Any) -> Tensor:
        """The same, its tokens counted, without the padding behind answers that ended earlier than others."""
        ids = generate(**inputs)
        padding = inputs.get("generation_config", self.model.generation_config).pad_token_id
        made = ids[:, inputs["input_ids"].shape[1] :]
        self.tokens += int((made != padding).sum()) if len(made) > 1 else made.numel()
        return ids


def one_at_a_time(loaded: LoadedModel, max_new_tokens: int) -> Way:
    """The usual loop."""
    model: Any = loaded.model
    processor: Any = loaded.processor

    @torch.inference_mode()
    def answer(example: Example) -> str:
        content: list[dict[str, str]] = [{"type": "text", "text": example.question}]
        if example.image is not None:
            content.insert(0, {"type": "image", "path": str(example.image)})
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(model.device, dtype=model.dtype)
        ids = model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False)
        text: str = processor.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return text

    return lambda examples: {example.id: answer(example) for example in examples}


def ours(loaded: LoadedModel, settings: GenerateSettings, folder: Path) -> Way:
    """`safeeraser.generation` into a new file each time, its writing included."""

    def answer(examples: Sequence[Example]) -> Answers:
        output = Path(tempfile.mkdtemp(dir=folder)) / "answers.jsonl"
        generate(loaded, examples, settings, output)
        return {made.example_id: made.answer for made in read_jsonl(output, Generation)}

    return answer


def table(ways: Sequence[Timed], answers: int, differing: int, title: str) -> Table:
    """A row for each way, the first being what the others are compared with."""
    made = Table(title=title, title_justify="left", box=None)
    for column in _COLUMNS:
        made.add_column(column, justify="right" if column else "left")
    for number, way in enumerate(ways):
        made.add_row(
            way.name,
            str(answers),
            f"{way.seconds:.1f}",
            f"{way.cpu_seconds:.1f}",
            f"{answers / way.seconds:.2f}",
            f"{way.tokens / way.seconds:.1f}",
            f"{ways[0].seconds / way.seconds:.1f}x",
            f"{ways[0].cpu_seconds / way.cpu_seconds:.1f}x",
            "" if number == 0 else f"{differing} of {answers}",
        )
    return made


def main(
    model: Annotated[str, typer.Option(help="tiny, a folder, or a hub id.")] = "tiny",
    data: Annotated[
        Path | None, typer.Option(help="A benchmark's folder; without one, a small `icons` is built.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Questions of each of the four parts.")] = 24,
    batch_size: Annotated[int, typer.Option(min=1)] = 48,
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="How often the ways take turns.")] = 1,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
) -> None:
    """Answers a second of both ways."""
    loaded = load(model, dtype=dtype)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if data is None:
            data = folder / "icons"
            icons.build(data, scale=0.05, seed=1)
        pool = released.read(data).examples
        examples = [example for part in Part for example in choose(pool, part, limit)]
        settings = GenerateSettings(batch_size=batch_size, max_new_tokens=max_new_tokens)
        ways = [
            Timed("one at a time", one_at_a_time(loaded, max_new_tokens), loaded.model),
            Timed(f"safeeraser, batches of {batch_size}", ours(loaded, settings, folder), loaded.model),
        ]
        for way in ways:
            way.way(examples[:1])
        differing = 0
        for _ in range(rounds):
            usual, batched = (way(examples) for way in ways)
            differing += sum(usual[key] != batched[key] for key in usual)
    title = f"{model} in {str(loaded.model.dtype).removeprefix('torch.')} on {loaded.model.device}, greedy, at most "
    title += f"{max_new_tokens} tokens; torch {torch.__version__}, {torch.get_num_threads()} threads"
    Console(width=120).print(table(ways, rounds * len(examples), differing, title))


if __name__ == "__main__":
    typer.run(main)
