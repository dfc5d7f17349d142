"""docs/data.md says what the code does."""

import json
import re
from pathlib import Path

from safeeraser.benchmarks.reading.problems import RULES
from safeeraser.benchmarks.released.read import read
from tests.benchmarks import small

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| (?:error|warning).*?\| (.*?) \|$", PAGE, re.MULTILINE))


def test_every_rule_has_its_row() -> None:
    assert list(ROWS) == list(RULES)


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
