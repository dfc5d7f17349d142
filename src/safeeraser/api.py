"""The Python API: what `import safeeraser` gives, from a model and a benchmark to metrics and differences.

These are the stages of the commands, on values in place of files. Settings are keywords, or the settings of a stage:
`unlearning.settings.UnlearnSettings`, `generation.settings.GenerateSettings`, `judges.settings.JudgeSettings`.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from safeeraser import metrics, objectives
from safeeraser.attacks.base import Target
from safeeraser.attacks.settings import AttackSettings
from safeeraser.attacks.table import ATTACKS
from safeeraser.benchmarks import source as kind
from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.selection import Part, choose
from safeeraser.benchmarks.settings import DataSettings
from safeeraser.errors import UserError, unknown
from safeeraser.files import is_one_name
from safeeraser.generation.run import generate as generate_into
from safeeraser.generation.settings import GenerateSettings
from safeeraser.judges.run import judge_file
from safeeraser.judges.settings import JudgeSettings
from safeeraser.judges.table import settings as judge_settings
from safeeraser.metrics import Difference
from safeeraser.metrics.attacked import Outcome
from safeeraser.models.load import LoadedModel
from safeeraser.models.load import load as load_weights
from safeeraser.objectives import Method
from safeeraser.records import Example, Generation, Metric, Verdict, read_jsonl
from safeeraser.runs.attack_run import AttackRun, Subject
from safeeraser.runs.attacks import choose_attacks
from safeeraser.runs.attacks import run as run_attacks
from safeeraser.runs.curves import Curve
from safeeraser.runs.results import Judged
from safeeraser.unlearning.run import unlearn as train
from safeeraser.unlearning.settings import UnlearnSettings

PathLike = str | Path
logger = logging.getLogger(__name__)


def load(
    name_or_path: str = "tiny", *, adapter: PathLike | None = None, dtype: str = "auto", device: str = "auto"
) -> LoadedModel:
    """Load a multimodal model with its processor, ready to answer or to be unlearned.

    `name_or_path` is "tiny" (the embedded model, put together on first use), a folder, or an id of the Hugging Face
    hub. `adapter` is a folder in PEFT's format, such as `unlearn` returns. `dtype` is "auto" (bfloat16 where the device
    computes in it natively, else float32), "float32", "bfloat16", "float16" or "nf4" (four bits, on a GPU).

    Raises UserError for a model or an adapter that cannot be loaded, or that do not fit each other.
    """
    return load_weights(name_or_path, adapter=None if adapter is None else Path(adapter), dtype=dtype, device=device)


def read_benchmark(
    folder: PathLike | None = None, *, format: str = "icons", scale: float = 1.0, seed: int = 233
) -> Benchmark:
    """Read a benchmark: its examples (split, stream, picture, question, answer), refusals, and what is odd about it.

    `format` is one of those that `safeeraser benchmarks` lists. "icons" comes with the package and is written to
    `folder` where it is not there yet, at `scale` (a share of the paper's size, above 0 to 1; arXiv 2502.12520) and
    from `seed`; its folder has a default. Others need a folder, or the id of a data set of the Hugging Face hub.

    Raises BenchmarkError with every problem in the data, and UserError for an unknown format.
    """
    source = kind(format)
    data = DataSettings(benchmark=format, path=None if folder is None else Path(folder), scale=scale, seed=seed)
    if source.embedded and not data.folder.exists():
        source.build(data.folder, scale=scale, seed=seed)
    return source.read(data.folder)


def unlearn(
    model: LoadedModel,
    benchmark: Benchmark,
    method: str | Method = "po+pd",
    *,
    output: PathLike,
    judge: str | JudgeSettings = "rules",
    settings: UnlearnSettings | None = None,
    **keys: Any,
) -> Path:
    """Train an adapter that makes a model refuse, or forget, and return the adapter's folder, in PEFT's format.

    Trained on are the benchmark's examples of the train split. `method` is a name that `safeeraser methods` lists
    (ga, gd, kl, po, npo, ... and each with +pd, Prompt Decouple: arXiv 2502.12520), or an `objectives.Method` of your
    own. `keys` are those of `UnlearnSettings`, such as steps=150, learning_rate=1e-3, lora_r=16. `output` gets
    adapter/, manifest.json and loss.jsonl (and neutral/ with +neutral; members/ in its place with +soup); called again
    with equal arguments, a training that was stopped goes on and a finished one is not repeated. The model itself stays
    as it was. With `eval_steps` RR, SARR and retain of a sample of the selection part are measured on the way, by what
    `judge` says, and the best adapter is kept.

    Raises ConfigError naming every setting that is wrong, and UserError for data that the method cannot be trained on.
    """
    wanted = (settings or UnlearnSettings()).changed(**keys)
    made = (judge_settings(judge) if isinstance(judge, str) else judge).make(benchmark.refusals)
    found = objectives.find(method, wanted.preset) if isinstance(method, str) else method
    curve = Curve.of(benchmark, made, found, wanted, GenerateSettings())
    return train(model, benchmark.examples, benchmark.refusals, found, wanted, Path(output), curve)


def generate(
    model: LoadedModel,
    asked: Benchmark | Iterable[Example],
    *,
    limit: int | None = None,
    output: PathLike | None = None,
    settings: GenerateSettings | None = None,
    **keys: Any,
) -> list[Generation]:
    """Answer questions about pictures, in the order of the examples.

    Of a `Benchmark` the four parts of an evaluation are asked (efficacy, generality, decoupled, retain; arXiv
    2502.12520), at most `limit` examples of each, the same choice as in a run; else exactly the examples given. `keys`
    are those of `GenerateSettings`, such as batch_size=32, max_new_tokens=64 (tokens), temperature=0 (greedy). With
    `output`, a JSONL file, answers are kept as they are made, and those that are in it already are not made again.

    Raises ConfigError naming every setting that is wrong, and UserError where `output` was made from something else.
    """
    wanted = (settings or GenerateSettings()).changed(**keys)
    examples = _asked(asked, limit, wanted.seed)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "answers.jsonl" if output is None else Path(output)
        generate_into(model, examples, wanted, file)
        return read_jsonl(file, Generation)


def judge(
    asked: Benchmark | Iterable[Example],
    answers: Sequence[Generation],
    judge: str | JudgeSettings = "rules",
    *,
    output: PathLike | None = None,
    **keys: Any,
) -> Judged:
    """Judge answers on every axis of their streams: refusal, meaningless, unsafe, factual.

    `judge` is a name that `safeeraser judges` lists, with its keys: judge="local", model="Qwen/Qwen2.5-7B-Instruct".
    The result holds the examples that were answered, the answers, and the verdicts (value 0 to 1, or None where the
    judge could not say). With `output`, a JSONL file, verdicts that are in it already are not made again.

    Raises UserError for an unknown judge or key, for answers to questions that were not asked, and where the judge
    cannot be reached.
    """
    settings = judge_settings(judge, **keys) if isinstance(judge, str) else judge.changed(**keys)
    refusals = asked.refusals if isinstance(asked, Benchmark) else ()
    answered = {answer.example_id for answer in answers}
    every = asked.examples if isinstance(asked, Benchmark) else asked
    examples = [example for example in every if example.id in answered]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "verdicts.jsonl" if output is None else Path(output)
        made = settings.make(refusals)
        made.check()
        judge_file(made, examples, answers, file)
        found = read_jsonl(file, Verdict) if file.exists() else []  # there is none where there was nothing to judge
        verdicts = [each for each in found if each.judge == made.name]
    return Judged(examples, tuple(answers), tuple(verdicts))


def score(judged: Judged, *, name: str = "model", protocol: str = "strict") -> list[Metric]:
    """The metrics of judged answers: ASR, RR (efficacy, generality), SARR (decoupled), ROUGE-L and accuracy (retain).

    Each has its value (a share of 0 to 1), n, a 95% interval, and how many answers are unscored: these count in no
    mean. `name` stands in the metrics as the model's. `protocol` "paper" does what the authors' code does, for
    comparison with published figures only (docs/metrics.md).

    Raises UserError for an unknown protocol.
    """
    if protocol not in metrics.PROTOCOLS:
        raise UserError(unknown("protocol", protocol, metrics.PROTOCOLS))
    return [metrics.summarise(name, column) for column in judged.columns(metrics.PROTOCOLS[protocol])]


def compare(before: Judged, after: Judged, *, baseline: str = "before", model: str = "after") -> list[Difference]:
    """What changed between two models asked the same questions: after minus before, paired by question.

    Each difference has a 95% interval and a p-value, corrected for the number of comparisons (docs/metrics.md).
    """
    tables = {baseline: before.columns(metrics.STRICT), model: after.columns(metrics.STRICT)}
    return metrics.compare(tables, baseline)


def attack(
    model: LoadedModel | Mapping[str, LoadedModel],
    benchmark: Benchmark,
    *,
    attacks: Iterable[str | AttackSettings] = (),
    judge: str | JudgeSettings = "rules",
    limit: int = 48,
    seed: int = 233,
    output: PathLike | None = None,
    **settings: Any,
) -> list[Outcome]:
    """Attack a model, or several by their names, and measure whether what was unlearned comes back.

    A model named "vanilla" is the one before unlearning, which `Outcome.recovered` is relative to. `attacks` are names
    from `safeeraser attacks list`, or AttackSettings with points of a sweep; all if none is given. Each asks `limit`
    questions of each side. What is made is kept in `output`, where the next call goes on, or else thrown away;
    attacked weights are never written. `settings` are those of generation.

    Raises UserError for an unknown attack, OverlapError where parts of the benchmark share keywords or pictures.
    """
    models = {"model": model} if isinstance(model, LoadedModel) else dict(model)
    for name in models:
        if not is_one_name(name):
            raise UserError(f"model: {name!r} cannot be the name of a file, which is made for each")
    wanted = [AttackSettings.model_validate(each) for each in (*attacks,) or tuple(ATTACKS)]
    with tempfile.TemporaryDirectory() as scratch:
        asked = AttackRun(
            benchmark=benchmark,
            subjects=[
                Subject(
                    Target(name=name, adapter=each.adapter), partial(lambda found: found, each), identity=each.identity
                )
                for name, each in models.items()
            ],
            chosen=choose_attacks(wanted),
            judge=(judge_settings(judge) if isinstance(judge, str) else judge).make(benchmark.refusals),
            settings=GenerateSettings(seed=seed, **settings),
            limit=limit,
            seed=seed,
            output=Path(output or scratch) / "attacks",
        )
        return run_attacks(asked, logger.info)[0]


def _asked(asked: Benchmark | Iterable[Example], limit: int | None, seed: int) -> list[Example]:
    if isinstance(asked, Benchmark):
        return [example for part in Part for example in choose(asked.examples, part, limit, seed)]
    return list(asked)[:limit]
