"""Settings that cannot be trained with are refused, all at once."""

import pytest

from safeeraser.errors import UserError
from safeeraser.unlearning.settings import UnlearnSettings


def test_every_problem_is_named() -> None:
    with pytest.raises(UserError) as error:
        UnlearnSettings(batch_size=0, learning_rate=-1.0, lr_scheduler="cos", warmup_ratio=1.0, save_steps=0)
    message = str(error.value)
    assert "batch_size must be at least 1, not 0" in message
    assert "learning_rate must be above 0, not -1.0" in message
    assert "lr_scheduler must be one of cosine, linear" in message
    assert "warmup_ratio must be in 0..1, not 1.0" in message
    assert "save_steps must be at least 1, not 0" in message
    assert "set exactly one of steps and epochs" in message


def test_steps_and_epochs_exclude_each_other() -> None:
    with pytest.raises(UserError, match="exactly one"):
        UnlearnSettings(steps=3, epochs=1.0)


def test_total_rows_are_whole_optimiser_steps() -> None:
    assert UnlearnSettings(steps=5, batch_size=4, accumulation=2).total_rows(forget=7) == 40
    assert UnlearnSettings(epochs=2.0, batch_size=4).total_rows(forget=11) == 20
    assert UnlearnSettings(epochs=0.1, batch_size=4).total_rows(forget=11) == 4
