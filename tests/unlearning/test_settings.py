"""Settings that cannot be trained with are refused, all at once."""

import pytest

from safeeraser.errors import UserError, unknown
from safeeraser.unlearning.settings import UnlearnSettings


def test_every_problem_is_named_with_what_was_found() -> None:
    with pytest.raises(UserError) as error:
        UnlearnSettings(batch_size=0, learning_rate=-1.0, lr_scheduler="cos", warmup_ratio=1.0, save_stesp=1)
    assert str(error.value).splitlines() == [
        "batch_size: should be greater than or equal to 1, found 0",
        "learning_rate: should be greater than 0, found -1.0",
        "warmup_ratio: should be less than 1, found 1.0",
        "lr_scheduler: should be 'cosine', 'linear', 'constant' or 'constant_with_warmup', found 'cos'",
        unknown("key", "save_stesp", UnlearnSettings.model_fields),
    ]


@pytest.mark.parametrize(
    ("key", "found"), [("lr", "learning_rate"), ("per_device_train_batch_size", "batch_size"), ("lora-rank", "lora_r")]
)
def test_names_of_other_tools_find_their_key(key: str, found: str) -> None:
    with pytest.raises(UserError, match=f"did you mean .*'{found}'"):
        UnlearnSettings(**{key: 1})


def test_steps_and_epochs_exclude_each_other() -> None:
    with pytest.raises(UserError, match="set steps or epochs, not both"):
        UnlearnSettings(steps=3, epochs=1.0)


def test_changed_settings_are_checked_again() -> None:
    settings = UnlearnSettings(epochs=2.0)
    assert settings.changed(limit=3) == UnlearnSettings(epochs=2.0, limit=3)
    with pytest.raises(UserError, match="not both"):
        settings.changed(steps=3)


def test_what_a_result_depends_on_leaves_out_how_the_work_is_done() -> None:
    ways = {"save_steps": 3, "gradient_checkpointing": True, "report_to": ("tensorboard",)}
    assert UnlearnSettings(**ways).results() == UnlearnSettings().results()
    assert not ways.keys() & UnlearnSettings().results().keys()
    assert UnlearnSettings(seed=1).results() != UnlearnSettings().results()


def test_a_single_value_stands_for_a_list() -> None:
    assert UnlearnSettings(report_to="tensorboard").report_to == ("tensorboard",)


def test_the_length_is_one_epoch_unless_set() -> None:
    assert UnlearnSettings(batch_size=4).total_rows(forget=11) == UnlearnSettings(epochs=1, batch_size=4).total_rows(11)


def test_total_rows_are_whole_optimiser_steps() -> None:
    assert UnlearnSettings(steps=5, batch_size=4, accumulation=2).total_rows(forget=7) == 40
    assert UnlearnSettings(epochs=2.0, batch_size=4).total_rows(forget=11) == 20
    assert UnlearnSettings(epochs=0.1, batch_size=4).total_rows(forget=11) == 4
