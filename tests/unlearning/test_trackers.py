"""What a tracker named in `report_to` gets to see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random


class Recorder(TrainerCallback):
    """A tracker as transformers knows them: made by it, and told of every log."""

    seen: ClassVar[list[dict[str, float]]] = []

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        self.seen.append({"step": state.global_step, **(logs or {})})


def test_every_step_with_its_terms_reaches_a_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(INTEGRATION_TO_CALLBACK, "recorder", Recorder)
    monkeypatch.setattr("safeeraser.unlearning.arguments.get_available_reporting_integrations", lambda: ["recorder"])
    monkeypatch.setattr(Recorder, "seen", [])
    settings = UnlearnSettings(steps=3, batch_size=2, lora_r=2, lora_alpha=4, report_to=("recorder",))
    examples = tiny_random.examples(tmp_path)
    adapter = unlearn(tiny_random.load(), examples, tiny_random.REFUSALS, "gd+pd", settings, tmp_path / "run")
    kept = [json.loads(line) for line in (adapter.parent / "loss.jsonl").read_text().splitlines()]
    sent = [entry for entry in Recorder.seen if "loss" in entry]
    assert len(kept) == 3
    assert [{name: entry.get(name) for name in line} for entry, line in zip(sent, kept, strict=True)] == kept
    assert {"forget", "retain", "decoupled", "forget_nll"} <= set(sent[0])
