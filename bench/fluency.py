"""How the threshold of the judge `rules+fluency` was chosen, and what the judge is worth on answers not looked at then.

    python -m bench.fluency labels/tiny.jsonl

Answers are halved by a hash of their id. The threshold is the smallest multiple of half a nat at which no meaningful
answer of the first half is called meaningless; agreement with the labels is then measured on the second half. Because
few labelled answers are meaningless, the meaningful ones are also read with their words in a random order.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from scipy.stats import binomtest

from safeeraser.judges import Judge, fluency, rules_judge
from safeeraser.judges.agreement.agreement import agreement, to_markdown
from safeeraser.judges.agreement.labels import Labelled, read_labels
from safeeraser.records import Axis

STEP = 0.5  # nats a token, between thresholds
SHUFFLED_WORDS = 7  # so many an answer has at least that is shuffled


def half(labelled: Labelled) -> int:
    """Which half an answer is in, 0 or 1, by its id alone."""
    return hashlib.sha256(labelled.example.id.encode()).digest()[-1] % 2


def choose(reference: fluency.ReferenceModel, items: Sequence[Labelled]) -> float:
    """The smallest multiple of the step that no meaningful answer is above."""
    read = fluency.ruled_and_read(reference, (), [(item.example, item.generation) for item in items])
    means = [
        mean for item, (_, mean) in zip(items, read, strict=True) if mean and item.labels.get(Axis.MEANINGLESS) == 0
    ]
    return next(number * STEP for number in count() if number * STEP >= max(means, default=0.0))


def shuffle(reference: fluency.ReferenceModel, items: Sequence[Labelled], threshold: float) -> str:
    """How many meaningful answers of some words that do not refuse are meaningless once these are shuffled."""
    meaningful = sorted(
        {
            (item.example.question, item.generation.answer)
            for item in items
            if item.labels.get(Axis.MEANINGLESS) == item.labels.get(Axis.REFUSAL) == 0
        }
    )
    rng = random.Random(0)
    texts = [(question, words) for question, said in meaningful if len(words := said.split()) >= SHUFFLED_WORDS]
    means = reference.mean_nll([(question, " ".join(rng.sample(words, len(words)))) for question, words in texts])
    found = sum(mean is not None and mean > threshold for mean in means)
    low, high = binomtest(found, len(texts)).proportion_ci(method="wilson")
    return f"{found} of {len(texts)} shuffled answers are meaningless: {found / len(texts):.3f} [{low:.3f}, {high:.3f}]"


def main(
    labels: Annotated[Path, typer.Argument(help="Labelled answers, as `safeeraser agreement` takes them.")],
    model: Annotated[
        str | None, typer.Option(help="A language model by folder or hub id; SmolLM2 if not given.")
    ] = None,
) -> None:
    """Choose the threshold on one half of the labels, and measure the judge on the other."""
    items = read_labels(labels)
    first, second = ([item for item in items if half(item) == number] for number in (0, 1))
    reference = fluency.smollm2() if model is None else fluency.pretrained(model)
    threshold = choose(reference, first)
    print(f"threshold {threshold:g} nats a token, chosen on {len(first)} answers; on the {len(second)} others:")
    judges: dict[str, Judge] = {
        "rules": rules_judge(()),
        fluency.NAME: fluency.fluency_judge(reference, (), threshold=threshold),
    }
    for name, judge in judges.items():
        found = agreement(judge, second)
        print(f"\n{name}\n{to_markdown(found)}")
        for item, verdict in (pair for each in found for pair in each.differences):
            labelled = f"people {item.labels[verdict.axis]}: {item.generation.answer!r}"
            print(f"{verdict.axis}: judge {verdict.value:g}, {labelled} ({verdict.reason})")
    print(f"\n{shuffle(reference, items, threshold)}")


if __name__ == "__main__":
    typer.run(main)
