"""How long processes wait for each other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from safeeraser.errors import UserError
from safeeraser.models.processes import VARIABLE, timeout


@pytest.mark.parametrize(("given", "minutes"), [("", 10), ("0.5", 0.5)])
def test_the_environment_says_how_long(given: str, minutes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, given)
    assert timeout() == timedelta(minutes=minutes)


@pytest.mark.parametrize("given", ["ten", "nan", "inf", "1e99", "0", "-1"])
def test_what_is_no_number_of_minutes_is_told(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, given)
    with pytest.raises(UserError, match=f"{VARIABLE}: expected minutes"):
        timeout()
