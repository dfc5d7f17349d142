"""docs/methods.md says what the table of methods is."""

from tests.objectives.page import PAGE, expected


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == expected(text), "run `python -m tests.objectives.page`"
