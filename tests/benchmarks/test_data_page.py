"""docs/data.md says what the code does."""

import json
import re
from pathlib import Path

from safeeraser.benchmarks.reading import folder, images, strict_json
from safeeraser.benchmarks.reading.problems import RULES
from safeeraser.benchmarks.released.read import read
from safeeraser.benchmarks.tools import check, likeness
from safeeraser.benchmarks.tools.fix import ALSO
from tests.benchmarks import small

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| (?:error|warning).*?\| (.*?) \|$", PAGE, re.MULTILINE))


def test_every_rule_has_its_row() -> None:
    assert list(ROWS) == list(RULES)


def test_every_optional_rule_of_fix_is_told() -> None:
    told = {rule for rule, row in ROWS.items() if f"--also {rule}" in row}
    assert told | {"leak", "role"} == set(ALSO)
    assert "`--also leak` and `--also role`" in PAGE


def test_the_record_shown_is_read_as_the_table_below_it_says(tmp_path: Path) -> None:
    shown = re.search(r"<!-- record -->\n```json\n(.*?)```", PAGE, re.DOTALL)
    assert shown
    record = json.loads(shown[1])
    for key in ("image_path", "SDImage_path"):
        small.draw(tmp_path / record[key])
    small.dump(tmp_path, "all_train.json", [record])
    table = re.findall(r"^\| (forget|decoupled|retain)[^|]*\| `(\w+)` \|.*\| `(\S+)` \|$", PAGE, re.MULTILINE)
    assert [(one.stream, one.image, one.id) for one in sorted(read(tmp_path).examples, key=lambda one: one.id)] == [
        (stream, tmp_path / record[key], id) for stream, key, id in sorted(table, key=lambda row: row[2])
    ]


def test_the_limits_told_are_the_limits() -> None:
    text = PAGE.replace("\n", " ")
    assert f"up to {strict_json.MAX_BYTES // 2**20} MiB and {strict_json.MAX_VALUES:,} values" in text
    assert f"{strict_json.MAX_RECORDS:,} records" in text
    assert f"pictures up to {images.MAX_BYTES // 2**20} MiB, and decoded up to {images.MAX_PIXELS:,} pixels" in text
    assert f"bytes up to {folder.CONTENT_LIMIT // 2**20} MiB in all" in text
    assert f"more than {check.MAX_QUESTION:,} characters, or an answer of more than {check.MAX_ANSWER:,}" in text
    assert f"at most {likeness.MAX_BITS} bits" in text
    assert f"at most {likeness.MAX_COLOUR:g} of 255" in text
    assert f"more than {strict_json.MAX_DEPTH} levels" in text
