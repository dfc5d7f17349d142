"""Two real processes, joined by gloo, write the file that one process writes."""

import shutil
from pathlib import Path

import pytest

from tests.generation import worker
from tests.launching import errors, launch


@pytest.mark.slow  # whole runs do it too
def test_two_processes_write_the_file_of_one(tmp_path: Path) -> None:
    one = tmp_path / "one.jsonl"
    worker.main(tmp_path / "alone", [one])
    whole = one.read_bytes()

    two, resumed = tmp_path / "two.jsonl", tmp_path / "resumed.jsonl"
    resumed.write_bytes(whole[: len(whole) * 2 // 5])  # what one process had written when it was killed
    shutil.copy(tmp_path / "one.jsonl.meta.json", tmp_path / "resumed.jsonl.meta.json")
    main, other = errors(launch([tmp_path / "together", two, resumed], module="tests.generation.worker"))
    assert "generate" in main
    assert "generate" not in other, "only the main process shows how far it is"
    assert two.read_bytes() == whole
    assert resumed.read_bytes() == whole

    two.write_bytes(whole[: len(whole) // 2])  # and the other way round
    worker.main(tmp_path / "again", [two])
    assert two.read_bytes() == whole
