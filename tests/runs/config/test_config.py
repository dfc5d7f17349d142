"""Settings: defaults, overrides, and messages that say where and what."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from safeeraser import runs as config
from safeeraser.errors import unknown
from safeeraser.judges.table import JUDGES
from safeeraser.runs import ConfigError, RunSettings
from safeeraser.settings import Names

NAMES = Names(
    benchmarks=lambda: ("icons", "released"), methods=lambda: ("vanilla", "po", "po+pd"), models=lambda: ("tiny",)
)


def problems(text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, "run.yaml", overrides, NAMES)
    return caught.value.problems


def many_times(keys: int, times: int) -> str:
    """Lists that each hold the one before so many times."""
    return "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * times)}]" for n in range(1, keys + 1))


def test_an_empty_file_is_the_defaults() -> None:
    assert config.parse("", "run.yaml", names=NAMES) == RunSettings()


def test_overrides_win_and_are_read_as_yaml() -> None:
    overrides = ["methods=[po]", "data.scale=5e-2", "limits.retain=7", "output=null", "name=a-b"]
    settings = config.parse("limits: {retain: 3, efficacy: 4}\nname: x", "run.yaml", overrides, NAMES)
    assert settings.methods == ("po",)
    assert settings.data.scale == 0.05
    assert (settings.limits.retain, settings.limits.efficacy) == (7, 4)
    assert settings.folder == Path("runs/a-b")


def test_a_key_without_a_value_can_be_filled_by_an_override() -> None:
    assert config.parse("limits:\n", "run.yaml", ["limits.retain=7"], NAMES).limits.retain == 7


def test_all_problems_come_at_once_each_with_its_line_and_key() -> None:
    text = "metods: [po]\nseed: -1\ndata:\n  scal: 1\n  scale: 2\nmodel: tny\nmethods:\n  - popd\n"
    assert problems(text, "judge=rule") == (
        "run.yaml:2: seed: should be greater than or equal to 0, found -1",
        "run.yaml:6: model: unknown model 'tny'; did you mean 'tiny'? (there are: tiny), or a folder, or a hub id such "
        "as llava-hf/llava-1.5-7b-hf",
        "run.yaml:5: data.scale: should be less than or equal to 1, found 2",
        "run.yaml:4: data: unknown key 'scal'; did you mean 'scale'? (there are: benchmark, path, scale, seed)",
        "run.yaml:7: methods.0: unknown method 'popd'; did you mean 'po+pd' or 'po'? (there are: vanilla, po, po+pd)",
        f"override 'judge=rule': judge.name: {unknown('judge', 'rule', JUDGES.names)}",
        "run.yaml:1: unknown key 'metods'; did you mean 'methods' or 'model' or 'methods_settings'? (there are: "
        f"{', '.join(RunSettings.model_fields)})",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1\nb: 2\n", "run.yaml:2: not YAML"),
        ("name: a\nseed: 1\nseed: 2\n", "run.yaml:3: seed: written twice (first at run.yaml:2)"),
        ("data:\n  seed: 1\n  seed: 2\n", "run.yaml:3: data.seed: written twice (first at run.yaml:2)"),
        ("- po\n", "run.yaml: expected keys and values, found list"),
        ("name: a\nmodel: a\x00b", "run.yaml:2: not YAML: special characters are not allowed (U+0000)"),
        ("!!python/object/apply:os.getcwd []", "run.yaml:1: not YAML"),
        ("1: 2", "run.yaml:1: 1: Keys should be strings, found 1"),
        ("name: ../x", "run.yaml:1: name: String should match pattern"),
        ("name: ..", "run.yaml:1: name: '..' cannot be the name of a folder"),
        ("name: .", "run.yaml:1: name: '.' cannot be the name of a folder"),
        ("methods: []", "run.yaml:1: methods: "),
        ("methods: [po, po]", "methods: po listed twice"),
        ("generate: {samples: 3}", "run.yaml:1: generate: samples above 1 need a temperature above 0"),
        ("unlearn: {patience: 2}", "run.yaml:1: unlearn: patience counts evaluations: set eval_steps as well"),
        ("unlearn: 3", "run.yaml:1: unlearn: "),
        ("seed: 1\nname: 2026-13-45", "run.yaml:2: not YAML: '2026-13-45' cannot be read as timestamp; in quotes it"),
        ("data: {seed: !!int abc}", "run.yaml:1: not YAML: 'abc' cannot be read as int"),
        ("seed: !!float ''", "run.yaml:1: not YAML: '' cannot be read as float"),
        ("seed: !!bool abc", "run.yaml:1: not YAML: 'abc' cannot be read as bool"),
        ("seed: !!timestamp abc", "run.yaml:1: not YAML: 'abc' cannot be read as timestamp"),
        ("seed: !!timestamp {=: 1}", "cannot be read as timestamp"),
        ("seed: !!int ''", "run.yaml:1: not YAML: '' cannot be read as int"),
        ("seed: 0x" + "f" * 5000, "run.yaml:1: not YAML: '0xffffffffff...fffffffffffff' cannot be read as int"),
        ("seed: " + "9" * 5000, "cannot be read as int"),
        ("seed: 1" + ":59" * 5000 + ".5", "cannot be read as float"),
        ('name: "\\UFFFFFFFF"', "run.yaml:1: not YAML: "),
        ("%YAML 1." + "9" * 5000 + "\n---\nseed: 1", "run.yaml:1: not YAML: "),
        ("? [a]\n: 1", "run.yaml:1: not YAML: found unhashable key"),
        ("seed: 1\nunlearn: &a [*a]", "run.yaml:2: more than 50 lists or keys within each other, or one within itself"),
        ("unlearn: &a {steps: *a}", "run.yaml:1: more than 50 lists or keys"),
        ("unlearn: &a\n  <<: *a", "run.yaml:2: more than 50 lists or keys"),
        ("seed: " + "[" * 60 + "]" * 60, "run.yaml:1: more than 50 lists or keys"),
        ("seed: " + "[" * 2000 + "]" * 2000, "run.yaml:1: more than 50 lists or keys"),
        (f"x0: &x0 [lol]\n{many_times(60, 1)}", "run.yaml:48: more than 50 lists or keys"),
        (f"x0: &x0 [lol]\n{many_times(11, 9)}", "run.yaml:5: more than 10,000 values, with aliases written out"),
    ],
)
def test_bad_files(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert expected in problem


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed", "override 'seed': expected key=value"),
        ("=3", "override '=3': expected key=value"),
        ("data..scale=1", "override 'data..scale=1': expected key=value"),
        ("seed.x=3", "override 'seed.x=3': seed has no keys of its own"),
        ("methods=[po", "override 'methods=[po': the value is not YAML"),
        ("name=2026-13-45", "override 'name=2026-13-45': the value is not YAML: '2026-13-45' cannot be read as timest"),
        ("limits=&a [*a]", "override 'limits=&a [*a]': the value is more than 50 lists"),
        ("limits.retan=3", "override 'limits.retan=3': limits: unknown key 'retan'; did you mean 'retain'?"),
    ],
)
def test_bad_overrides(override: str, expected: str) -> None:
    (problem,) = problems("seed: 1\n", override)
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("max_new_tokens=4", ": unknown key 'max_new_tokens'; did you mean 'generate.max_new_tokens'? (there"),
        (
            "max-new-token=4",
            ": unknown key 'max-new-token'; did you mean 'generate.max_new_tokens' or 'judge.max_tokens'?",
        ),
        ("batch_size=4", "did you mean 'unlearn.batch_size' or 'generate.batch_size' or 'judge.batch_size'?"),
        ("generate.steps=4", ": generate: unknown key 'steps'; did you mean 'unlearn.steps' or 'samples'?"),
        (
            "data.model=tiny",
            ": data: unknown key 'model'; did you mean 'model' outside of this section or 'judge.model'?",
        ),
        ("judge.url=http://h", ": judge: unknown key 'url' (there are: name)"),
        (
            "judge={name: endpoint, url: 'http://h', model: m, trials: 3}",
            ": unknown key 'trials'; did you mean 'sweep.t",
        ),
    ],
)
def test_a_key_of_another_section_is_told(override: str, expected: str) -> None:
    (problem,) = problems("", override)
    assert expected in problem


def test_a_huge_value_is_not_printed_whole() -> None:
    text = f"x0: &x0 [lol]\n{many_times(3, 9)}\nseed: *x3\n"
    assert all(len(problem) < 500 for problem in problems(text))


@pytest.mark.parametrize("name", ["../x", "..", "/tmp/x", ""])
def test_a_method_of_any_name_stays_in_the_run_s_folder(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^override .*: methods\.0: .* cannot be the name of a folder$"):
        config.parse("", "run.yaml", [f"methods=['{name}']"])


def test_a_merged_key_may_be_set_again() -> None:
    text = "unlearn: &common {steps: 3, lora_r: 4}\nmethods_settings:\n  po: {<<: *common, steps: 5}\n"
    settings = config.parse(text, "run.yaml", names=NAMES)
    assert (settings.unlearning("po").steps, settings.unlearning("po").lora_r) == (5, 4)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9\n")
    for path, reason in [
        (tmp_path / "none.yaml", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "latin.yaml", "not UTF-8"),
    ]:
        with pytest.raises(ConfigError, match=reason) as caught:
            config.load(path)
        assert str(path) in str(caught.value)


def test_method_settings_change_only_what_they_set() -> None:
    text = "unlearn: {lora_r: 4, learning_rate: 0.5}\nmethods_settings: {po+pd: {lora_r: 8}}"
    settings = config.parse(text, "run.yaml", names=NAMES)
    assert settings.unlearning("po").lora_r == 4
    assert settings.unlearning("po+pd").lora_r == 8
    assert settings.unlearning("po+pd").learning_rate == 0.5


def test_a_method_s_own_length_replaces_the_common_one() -> None:
    text = "unlearn: {epochs: 2}\nmethods_settings: {po+pd: {steps: 9}}"
    settings = config.parse(text, "run.yaml", names=NAMES)
    assert (settings.unlearning("po").epochs, settings.unlearning("po").steps) == (2, None)
    assert (settings.unlearning("po+pd").epochs, settings.unlearning("po+pd").steps) == (None, 9)
    assert "set steps or epochs, not both" in problems("unlearn: {epochs: 2, steps: 3}")[0]


def test_a_method_s_own_settings_are_checked_with_the_common_ones() -> None:
    patient = config.parse("unlearn: {eval_steps: 5}\nmethods_settings: {po: {patience: 2}}", "run.yaml", names=NAMES)
    assert (patient.unlearning("po").eval_steps, patient.unlearning("po").patience) == (5, 2)
    bad, other = problems("methods_settings: {po: {lora_r: 0, patients: 1}}")
    assert bad == "run.yaml:1: methods_settings.po.lora_r: should be greater than or equal to 1, found 0"
    assert other.startswith("run.yaml:1: methods_settings.po: unknown key 'patients'; did you mean 'patience'")


def test_the_seed_of_a_stage_is_the_run_s_unless_it_has_its_own() -> None:
    text = "seed: 7\ngenerate: {seed: 8}\nmethods_settings: {po: {lora_r: 8}}"
    settings = config.parse(text, "run.yaml", names=NAMES)
    assert (settings.unlearning("po").seed, settings.unlearning("po+pd").seed, settings.generate.seed) == (7, 7, 8)
    again = config.parse(yaml.safe_dump(settings.dump()), "config.yaml", ["seed=9"], NAMES)
    assert (again.unlearning("po").seed, again.generate.seed) == (9, 8)


@pytest.mark.parametrize("key", ["seed", "unlearn.seed", "generate.seed", "data.seed"])
@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (2**32, "should be less than or equal to 4294967295, found 4294967296"),
        (10**30, "should be less than or equal to 4294967295, found 1000000"),
        (-1, "should be greater than or equal to 0, found -1"),
    ],
)
def test_seeds_that_not_every_library_takes(key: str, seed: int, expected: str) -> None:
    (problem,) = problems("", f"{key}={seed}")
    assert problem.startswith(f"override '{key}={seed}': {key}: {expected}")


@pytest.mark.parametrize("key", ["seed", "unlearn.steps", "unlearn.learning_rate", "limits.retain", "data.scale"])
def test_yes_is_no_number(key: str) -> None:
    (problem,) = problems("", f"{key}=yes")
    assert problem == f"override '{key}=yes': {key}: should be a number, found true"


def test_a_quoted_seed_is_the_stages_too() -> None:
    settings = config.parse("seed: '7'", "run.yaml")
    assert (settings.seed, settings.unlearn.seed, settings.generate.seed) == (7, 7, 7)


def test_a_dump_reads_back_as_the_same_settings() -> None:
    settings = config.parse("methods_settings: {po: {lora_r: 8}}\noutput: a/b", "run.yaml", names=NAMES)
    assert RunSettings.model_validate(settings.dump()) == settings
    assert settings.dump()["methods_settings"] == {"po": {"lora_r": 8}}


def test_name_and_output_do_not_matter_but_everything_else_does() -> None:
    ours = config.parse("", "run.yaml")
    same = config.parse("name: other\noutput: there", "run.yaml")
    assert ours.hash == same.hash
    assert config.first_difference(ours.results(), same.results()) is None
    other = config.parse("limits: {retain: 3}\nmethods_settings: {po: {lora_r: 2}}", "run.yaml")
    assert ours.hash != other.hash
    assert config.first_difference(ours.results(), other.results()) == ("limits.retain", None, 3)
    assert config.first_difference(other.results(), ours.results()) == ("limits.retain", 3, None)


def test_a_difference_in_a_key_that_one_side_lacks_is_found() -> None:
    assert config.first_difference({"a": 1, "b": {"c": 1}}, {"a": 1}) == ("b.c", 1, None)
    assert config.first_difference({"a": 1}, {"a": 1, "b": {"c": 1}}) == ("b.c", None, 1)
    assert config.first_difference({"b": {}}, {"b": {"c": 1}}) == ("b.c", None, 1)


_OWN = "methods: [vanilla, po, po+pd]\nmethods_settings: {po: {steps: 5, lora_r: 8}, po+pd: {steps: 6}}"


@pytest.mark.parametrize("override", ["unlearn.steps=3", "unlearn.epochs=1", "unlearn.steps = 3"])
def test_an_override_that_every_method_overrides_is_refused(override: str) -> None:
    key = override.partition("=")[0].strip()
    (problem,) = problems(_OWN, override)
    told = "changes nothing: every method has its own, such as methods_settings.po.steps"
    assert problem == f"override {override!r}: {key}: {told}"


def test_an_override_of_options_that_every_method_has_is_refused() -> None:
    text = "methods: [po]\nmethods_settings: {po: {options: {retain_weight: 2}}}"
    (problem,) = problems(text, "unlearn.options.retain_weight=3")
    assert problem.endswith("every method has its own, such as methods_settings.po.options.retain_weight")


def test_an_override_for_a_method_that_is_not_run_is_refused() -> None:
    (problem,) = problems("methods: [vanilla, po]", "methods_settings.po+pd.steps=3")
    assert problem.endswith("changes nothing: po+pd is not one of the methods that are trained (po)")


@pytest.mark.parametrize(
    "override",
    [
        "unlearn.lora_r=4",
        "methods_settings.po.steps=3",
        "unlearn.batch_size=3",
        "unlearn={steps: 3}",
        "limits.retain=2",
    ],
)
def test_an_override_that_changes_something_is_not_refused(override: str) -> None:
    config.parse(_OWN, "run.yaml", [override], NAMES)


def test_in_the_file_common_settings_may_be_without_effect() -> None:
    config.parse(_OWN, "run.yaml", names=NAMES)


def test_a_method_s_settings_that_change_no_result_are_no_difference() -> None:
    plain = RunSettings(methods=("po",))
    saved = RunSettings(methods=("po",), methods_settings={"po": {"save_minutes": 1.0}})
    assert config.first_difference(plain.results(), saved.results()) is None
    assert plain.hash == saved.hash
