"""A run whose last method cannot be trained, on its data or on its model, stops before its first one is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from safeeraser.cli import app
from safeeraser.errors import UserError
from safeeraser.records import Stream
from safeeraser.runs import pipeline
from tests.benchmarks import small
from tests.runs.pipeline.world import World, no_model


def test_data_without_decoupled_rows_stops_a_run_before_anything(fresh: World) -> None:
    settings, kit = fresh.settings("methods=[vanilla, po, po+pd]"), fresh.kit()
    benchmark = kit.read(fresh.data)
    without = replace(
        benchmark, examples=tuple(each for each in benchmark.examples if each.stream is not Stream.DECOUPLED)
    )
    broken = replace(kit, read=lambda _: without, load=no_model)
    with pytest.raises(UserError, match=r"po\+pd: \d+ forget examples have no decoupled partner, the first is "):
        pipeline.run(settings, broken, fresh.said.append)
    assert not settings.folder.exists()


def test_options_that_a_method_does_not_have_stop_a_run_before_anything(fresh: World) -> None:
    settings = fresh.settings("methods=[po, pdu]", "methods_settings.pdu.options.epz=1")
    with pytest.raises(UserError, match="pdu: unknown option 'epz'; did you mean 'eps'"):
        fresh.kit(settings)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["methods=[po, rmu]"], "rmu: option layer is 7, the language model has layers 0 to 1"),
        (["methods=[po, ga]", "methods_settings.ga.lora_layers=3"], "3 layers asked for, the language model has 2"),
    ],
)
def test_a_method_that_the_model_does_not_take(fresh: World, overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        fresh.run(*overrides)
    assert not (fresh.folder / "run" / "models").exists()


def test_a_processor_without_a_chat_template(fresh: World) -> None:
    (fresh.model / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match=r"LlavaProcessor: no chat template \(chat_template\.jinja in its folder\)"):
        fresh.run("methods=[po]")
    assert not (fresh.folder / "run" / "models").exists()


def test_what_is_trained_already_asks_for_no_model(finished: World) -> None:
    settings = finished.settings()
    pipeline.run(settings, replace(finished.kit(settings), load=no_model), finished.said.append)


def test_unlearn_looks_at_the_data_before_it_loads_a_model(tmp_path: Path) -> None:
    data = small.write(tmp_path / "data")
    for name in small.FILES.values():
        small.edit(data, _drop_decoupled, name)
    command = ["unlearn", "--data", data, "--model", "no/such", "--method", "po+pd", "--output", tmp_path / "out"]
    result = CliRunner().invoke(app, [str(word) for word in command], prog_name="safeeraser")
    assert result.exit_code == 2
    assert "po+pd: 8 forget examples have no decoupled partner, the first is " in result.stderr
    assert not (tmp_path / "out").exists()


def _drop_decoupled(records: list[small.Record]) -> None:
    for record in records:
        del record["SDImage_path"]
        for pair in record["unsafe_pairs"]:
            del pair["sd_response"]
