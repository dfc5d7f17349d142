"""A run whose last method cannot be trained on its data stops before its first one is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from safeeraser import pipeline
from safeeraser.errors import UserError
from safeeraser.records import Stream
from tests.pipeline.world import World, no_model


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
