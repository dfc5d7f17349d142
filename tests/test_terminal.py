"""Pictures in terminals of all kinds."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image
from rich.console import Console

from safeeraser.progress import ProgressBar
from safeeraser.terminal import half_blocks, show_picture

KITTY = {"TERM": "xterm-kitty"}
ITERM = {"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}
NOISE = Image.effect_noise((600, 300), 80).convert("RGB")


def shown(environment: dict[str, str], image: Image.Image = NOISE, **options: object) -> tuple[bool, str]:
    written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    settings = {"force_terminal": True, "color_system": "truecolor", "width": 80, **options}
    could = show_picture(image, Console(file=written, **settings), environment)  # type: ignore[arg-type]
    written.seek(0)
    return could, written.read()


def pixels(content: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(content, validate=True)))


def test_kitty_gets_a_png_in_chunks_and_does_not_answer() -> None:
    _, text = shown(KITTY)

    codes = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    keys = [dict(pair.split("=") for pair in each.split(",")) for each, _ in codes]
    assert keys[0] == {"a": "T", "f": "100", "c": "32", "q": "2", "m": "1"}
    assert [each["m"] for each in keys] == ["1"] * (len(codes) - 1) + ["0"]
    assert {each["q"] for each in keys} == {"2"}
    assert all(len(content) == 4096 for _, content in codes[:-1])
    assert len(codes[-1][1]) <= 4096
    assert pixels("".join(content for _, content in codes)).size == (384, 192)


@pytest.mark.parametrize("environment", [ITERM, {"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}])
def test_iterm_gets_a_png_in_one_piece(environment: dict[str, str]) -> None:
    _, text = shown(environment)

    keys, content = re.fullmatch(r"\x1b\]1337;File=([^:]*):([^\x07]*)\x07\n", text).groups()  # type: ignore[union-attr]
    given = dict(pair.split("=") for pair in keys.split(";"))
    assert given == {
        "inline": "1",
        "size": str(len(base64.b64decode(content))),
        "width": "32",
        "preserveAspectRatio": "1",
    }
    assert len(text) < 2**20  # what iTerm2 takes
    assert pixels(content).size == (384, 192)


@pytest.mark.parametrize(
    "environment",
    [{"TERM": "xterm-256color"}, {**ITERM, "TMUX": "/tmp/tmux,1,0"}, {**ITERM, "TERM": "screen-256color"}, {}],
    ids=["others", "tmux", "screen", "unknown"],
)
def test_other_terminals_get_half_blocks(environment: dict[str, str]) -> None:
    could, text = shown(environment)

    assert could
    assert text.count("▀") == 32 * 8
    assert not re.search(r"\x1b[_\]]", text)


@pytest.mark.parametrize("options", [{"force_terminal": False}, {"color_system": "standard"}], ids=["pipe", "colours"])
def test_what_can_show_no_picture_gets_none(options: dict[str, object]) -> None:
    assert shown({"TERM": "xterm"}, **options) == (False, "")


def test_a_tall_picture_stays_on_the_screen() -> None:
    assert half_blocks(Image.new("RGB", (1, 5000)), width=8).plain.count("\n") == 8
    _, text = shown(KITTY, Image.new("RGB", (100, 400)))
    assert ",c=8," in text


def test_half_blocks_are_two_pixels_each() -> None:
    image = Image.new("RGB", (2, 4))
    image.putdata([(row, column, 7) for row in range(4) for column in range(2)])
    text = half_blocks(image, width=2)
    assert text.plain == "▀▀\n▀▀\n"
    colours = [
        (style.color.triplet, style.bgcolor.triplet)
        for span in text.spans
        if not isinstance(style := span.style, str) and style.color and style.bgcolor
    ]
    assert colours == [((row, column, 7), (row + 1, column, 7)) for row in (0, 2) for column in (0, 1)]


def test_a_bar_shows_the_name_of_a_file_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("judge \x1b]0;title\x07[bold]", 1) as bar:
        bar.advance()
    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert "[bold]" in told
