"""The Python API: the page's ten lines run, and what comes of them is what the commands make."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import safeeraser as se
from safeeraser.errors import UserError
from safeeraser.records import Split, Stream
from tests.docs.generate import ROOT
from tests.runs.pipeline.world import World

QUICK = {
    "read_benchmark()": "read_benchmark(DATA, format='released')",
    '"tiny"': "MODEL",
    '"out/po+pd"': "OUTPUT",
    '"steps": 120': '"steps": 2',
    '"lora_layers": 15': '"lora_layers": 1',
    "limit=48": "limit=2",
    "limit=24": "limit=2",
    "max_new_tokens=20": "max_new_tokens=3",
}


def test_the_ten_lines_of_the_readme_run_and_those_that_go_on(fresh: World, capsys: pytest.CaptureFixture[str]) -> None:
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/python.md")]
    code = "".join(re.findall(r"^```python\n(.*?)^```", "\n".join(pages), re.MULTILINE | re.DOTALL))
    for shown, quick in QUICK.items():
        assert shown in code
        code = code.replace(shown, quick)
    names: dict[str, Any] = {"MODEL": str(fresh.model), "DATA": fresh.data, "OUTPUT": fresh.folder / "out"}
    exec(code, names)
    printed = capsys.readouterr().out
    assert (fresh.folder / "out" / "adapter" / "adapter_model.safetensors").is_file()
    assert all(name in printed for name in ("asr", "rr", "sarr", "Metric", "Difference"))
    assert names["mine"].examples == list(names["ours"])
    assert names["outcomes"]


def test_metrics_are_those_of_a_run(finished: World) -> None:
    data = se.read_benchmark(finished.data, format="released")
    settings = finished.settings()
    answers = se.generate(se.load(str(finished.model)), data, limit=4, settings=settings.generate)
    made = {(each.name, each.part, each.group): each for each in se.score(se.judge(data, answers), name="vanilla")}
    ran = [each for each in finished.run() if each.model == "vanilla"]
    assert {(each.name, each.part, each.group): each for each in ran} == made


def test_examples_of_ones_own_are_asked_and_kept(finished: World, tmp_path: Path) -> None:
    data, model = se.read_benchmark(finished.data, format="released"), se.load(str(finished.model))
    asked = (Stream.RETAIN, Split.VALIDATION)
    mine = [example for example in data.examples if (example.stream, example.split) == asked][:3]
    answers = se.generate(model, mine, output=tmp_path / "answers.jsonl", max_new_tokens=3)
    assert [answer.example_id for answer in answers] == [example.id for example in mine]
    judged = se.judge(mine, answers, output=tmp_path / "verdicts.jsonl")
    assert judged.examples == mine
    assert {verdict.example_id for verdict in judged.verdicts} == {example.id for example in mine}
    assert {change.value for change in se.compare(judged, judged) if change.value is not None} == {0.0}


def test_wrong_settings_and_names_are_told(finished: World) -> None:
    data = se.read_benchmark(finished.data, format="released")
    model = se.load(str(finished.model))
    with pytest.raises(UserError, match="unknown key 'step'; did you mean 'steps'"):
        se.unlearn(model, data, "po", output=finished.folder / "never", step=3)
    with pytest.raises(UserError, match="unknown method 'popd'"):
        se.unlearn(model, data, "popd", output=finished.folder / "never")
    with pytest.raises(UserError, match="did you mean 'vlguard'"):
        se.read_benchmark(finished.data, format="vlgard")
    with pytest.raises(UserError, match="unknown protocol 'papr'; did you mean 'paper'"):
        se.score(se.judge(data, []), protocol="papr")
    with pytest.raises(AttributeError, match="unlern"):
        _ = se.unlern


def test_attacked_models_have_names_that_files_can_have(finished: World, tmp_path: Path) -> None:
    benchmark = se.read_benchmark(finished.data, format="released")
    model = se.load(str(finished.folder / "model"))
    with pytest.raises(UserError, match=r"model: '\.\./x' cannot be the name of a file"):
        se.attack({"../x": model}, benchmark, output=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_importing_it_needs_no_torch() -> None:
    code = "import sys, safeeraser; assert 'torch' not in sys.modules and {*safeeraser.__all__} < {*dir(safeeraser)}"
    subprocess.run([sys.executable, "-c", code], check=True)
