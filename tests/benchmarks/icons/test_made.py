"""Folders of embedded benchmarks that another version made, and what this version makes."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from safeeraser.benchmarks import SOURCES, read
from safeeraser.benchmarks.icons.made import MADE, VERSIONS

CONTENT = {
    ("icons", 1): "2acbac9b5336e3c4",
    ("icons_few", 1): "1ac8f784707cf8f4",
    ("icons_hard", 2): "0de4ef7ea77fc882",
}
"""What each version builds at scale 0.02: questions, answers and pixels. A change needs another version."""


@pytest.mark.parametrize("name", VERSIONS)
def test_another_content_has_another_version(name: str, tmp_path: Path) -> None:
    SOURCES[name].build(tmp_path / name, scale=0.02, seed=233)
    benchmark = read(tmp_path / name, name)
    assert benchmark.problems == ()
    found = hashlib.sha256()
    for each in benchmark.examples:
        found.update(f"{each.id}\0{each.question}\0{each.answer}\0".encode())
    for image in benchmark.images():
        with Image.open(image) as picture:
            found.update(picture.tobytes())
    assert found.hexdigest()[:16] == CONTENT[name, VERSIONS[name]]


@pytest.mark.parametrize(
    ("made", "by"),
    [
        (None, "an unknown version"),
        ("[]", "an unknown version"),
        (json.dumps({"benchmark": "icons", "version": 0}), "icons 0"),
        (json.dumps({"benchmark": "icons_hard", "version": 1}), "icons_hard 1"),
    ],
)
def test_what_this_version_did_not_make_is_told(made: str | None, by: str, tmp_path: Path) -> None:
    folder = tmp_path / "icons"
    SOURCES["icons"].build(folder, scale=0.01, seed=1)
    before = read(folder, "icons").hash
    (folder / MADE).unlink()
    if made is not None:
        (folder / MADE).write_text(made)
    benchmark = read(folder, "icons")
    (problem,) = benchmark.problems
    assert problem.file == folder / MADE
    assert f"made by {by}, and this is icons {VERSIONS['icons']}" in problem.message
    assert benchmark.hash == before, "the data are the same"
