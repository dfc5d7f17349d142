"""A whole build on a random model: what it writes, what it leaves out, and that it can be stopped anywhere."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from safeeraser.benchmarks.benchmark import Benchmark
from safeeraser.benchmarks.released import read as released
from safeeraser.benchmarks.tools import check
from safeeraser.curation import answers as answering
from safeeraser.curation.estimate import estimate
from safeeraser.curation.writers.chat import ChatWriter
from safeeraser.endpoint.client import Endpoint
from safeeraser.endpoint.settings import EndpointSettings
from safeeraser.errors import UserError
from safeeraser.judges import Judge, one_by_one
from safeeraser.judges.rules import is_refusal
from safeeraser.records import Axis, Example, Generation, Split, Stream, read_jsonl
from safeeraser.unlearning.run import unlearn
from safeeraser.unlearning.settings import UnlearnSettings
from tests import tiny_random
from tests.curation.world import Counting, World, draw, lenient, model
from tests.endpoint.fake_server import completion, serving

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT's


@pytest.fixture
def world(tmp_path: Path) -> World:
    draw(tmp_path)
    return World(tmp_path)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def of(benchmark: Benchmark, stream: Stream, split: Split | None = None) -> list[Example]:
    return [one for one in benchmark.examples if one.stream is stream and split in (None, one.split)]


def findings(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "findings.jsonl").read_text().splitlines()]


def test_a_folder_of_pictures_becomes_a_benchmark_that_reads_checks_and_trains(world: World) -> None:
    counts, gate = world.build()
    built = world.root / "built"
    empty = gate.counts().get("empty", Counter())  # a random model says nothing now and then
    found = check.check(released.scan(built), is_refusal=is_refusal)
    assert not found.errors
    assert counts == found.counts
    benchmark = released.read(built)
    pictures = {split: {one.image for one in of(benchmark, Stream.FORGET, split)} for split in Split}
    assert {split: len(found) for split, found in pictures.items()} == {  # 6 of each category
        Split.TRAIN: 6,
        Split.SELECTION: 2,
        Split.VALIDATION: 4,
    }
    assert len(of(benchmark, Stream.FORGET)) + len(of(benchmark, Stream.RETAIN)) == 12 * (4 + 2 + 2) - empty["pair"]
    assert len(of(benchmark, Stream.DECOUPLED)) > 40
    forget = {one.id: one for one in benchmark.examples if one.stream is Stream.FORGET}
    for one in benchmark.examples:
        if one.stream is Stream.DECOUPLED:
            assert one.question == forget[one.partner or ""].question
    text = [one for one in benchmark.examples if one.kind == "text"]
    assert len(text) > 15
    assert all(one.image is None for one in text)
    assert benchmark.refusals[0] == "I'm sorry, but I can't help with that."
    adapter = unlearn(
        tiny_random.load(),
        benchmark.examples,
        benchmark.refusals,
        "po+pd",
        UnlearnSettings(steps=2, batch_size=2, lora_r=2, lora_alpha=4),
        world.root / "adapter",
    )
    assert adapter.is_dir()


def test_the_answers_are_the_models_own(world: World) -> None:
    world.build()
    made = {one.answer for name in ("2_answers", "4_safe_answers") for one in answers(world, name)}
    assert {one.answer for one in released.read(world.root / "built").examples} <= made


def answers(world: World, name: str = "2_answers") -> list[Generation]:
    return read_jsonl(world.work.root / f"{name}.jsonl", Generation)


def test_a_second_build_makes_nothing_again_and_the_same_bytes(world: World) -> None:
    world.build()
    before = files(world.work.root)
    world.build(name="again")
    assert files(world.work.root) == before
    one, other = files(world.root / "built"), files(world.root / "again")
    for page in ("report.md", "sample.html"):  # they bear the folder's name
        assert one.pop(page) != other.pop(page)
    assert one == other


def test_stopped_within_the_questions_it_goes_on_and_ends_the_same(world: World) -> None:
    straight = Counting()
    world.having(writer=straight).build()
    for stop in (1, 17):
        shutil.rmtree(world.work.root)
        shutil.rmtree(world.root / "built")
        with pytest.raises(KeyboardInterrupt):
            world.having(writer=Counting(stop_after=stop)).build()
        assert not (world.root / "built").exists()
        rest = Counting()
        world.having(writer=rest).build()
        assert len(rest.done) == len(straight.done) - stop
    assert [one.key for one in rest.done] == [one.key for one in straight.done][17:]


@pytest.mark.parametrize("stage", ["2_answers", "4_safe_answers"])
def test_stopped_within_the_answers_it_goes_on_and_ends_the_same(
    world: World, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.build("answers.batch_size=8")
    whole = files(world.root / "built")
    for folder in (world.root / "built", world.work.root):
        shutil.rmtree(folder)
    asked: list[int] = []
    real = answering.Engine.answer
    first = 10 if stage == "2_answers" else 14  # of 12 and 5 batches

    def stopping(engine: Any, batch: Any) -> Any:
        asked.append(len(batch))
        if len(asked) == first:
            raise KeyboardInterrupt
        return real(engine, batch)

    with monkeypatch.context() as patch:
        patch.setattr(answering.Engine, "answer", stopping)
        with pytest.raises(KeyboardInterrupt):
            world.build("answers.batch_size=8")
    path = world.work.root / f"{stage}.jsonl"
    kept = len(answers(world, stage))
    assert kept > 0
    path.write_bytes(path.read_bytes() + b'{"example_id": "cut')  # as a kill leaves it
    world.build("answers.batch_size=8")
    assert files(world.root / "built") == whole


def test_a_changed_prompt_redoes_what_depends_on_it_and_nothing_else(world: World) -> None:
    world.build()
    before = len(answers(world)), len(answers(world, "4_safe_answers"))
    prompts = world.root / "prompts"
    prompts.mkdir()
    (prompts / "template_retain_image.jinja").write_text(
        "Which shade is it ({{ split }})?\nHow wide is it ({{ split }})?"
    )
    world.build(f"prompts={prompts}", name="other")
    new = len(answers(world)) - before[0]
    assert new == 24  # twelve pictures, two questions each
    assert len(answers(world, "4_safe_answers")) == before[1]
    world.build(name="back")
    assert len(answers(world)) == before[0] + new  # what was made with the first prompt is there still


def test_another_models_answers_are_not_used(world: World) -> None:
    world.build()
    before = len(answers(world))
    world.having(identity="another").build(name="other")
    assert len(answers(world)) == 2 * before


def test_what_the_writer_does_not_write_is_left_out_named_and_tried_again(world: World) -> None:
    ill = World(world.root, writer=Counting(fail=("pistol/0.png forget",)))
    ill.build("questions.max_failures=0.1")
    found = [(one["record"], one["field"], one["rule"], one["cost"]) for one in findings(world.root / "built")]
    assert ("Weapon/pistol/0.png", "forget", "unwritten", "question") in found
    assert ("Weapon/pistol/0.png", None, "part", "record") in found
    well = Counting()
    world.having(writer=well).build(name="well")
    assert [one.item for one in well.done] == ["Weapon/pistol/0.png forget"]
    assert [one.attempt for one in well.done] == [1]
    assert "unwritten" not in [one["rule"] for one in findings(world.root / "well")]


def test_too_many_failures_stop_the_build_before_the_answers(world: World) -> None:
    ill = world.having(writer=Counting(fail=("Weapon",)))
    with pytest.raises(UserError, match=r"18 of 36 requests for questions failed, such as the writer is ill"):
        ill.build()
    assert not (world.root / "built").exists()
    assert not (world.work.root / "2_answers.jsonl").exists()


def test_the_gate_leaves_out_what_the_judge_finds(world: World) -> None:
    def refused(example: Example) -> bool:
        return example.stream is Stream.DECOUPLED and example.keyword in ("kite", "bread", "teapot")

    def verdict(example: Example, _: Generation, axis: Axis) -> float | None:
        if axis is Axis.REFUSAL and refused(example):
            return 1.0
        return 1.0 if axis is Axis.MEANINGLESS and example.image is None else None

    _, gate = world.having(judge=lenient(verdict)).build()
    benchmark = released.read(world.root / "built")
    assert not [one for one in benchmark.examples if one.kind == "text"]
    counts = gate.counts()
    assert counts["meaningless"].keys() == {"pair"}
    assert counts["refusal"]["PD pair"] > 0
    assert not [one for one in of(benchmark, Stream.DECOUPLED) if refused(one)]
    assert of(benchmark, Stream.DECOUPLED)
    report = (world.root / "built" / "report.md").read_text()
    found = counts["meaningless"]["pair"]
    assert f"| meaningless | an answer that means nothing | {found} | {found} x pair |" in report


def test_rules_that_are_kept_cost_nothing(world: World) -> None:
    judge = lenient(lambda _, __, axis: 1.0 if axis is Axis.MEANINGLESS else None)
    with pytest.raises(UserError, match=r"nothing is left of 12 records; the quality gate found: .*meaningless \d\d"):
        world.having(judge=judge).build()
    _, gate = world.having(judge=judge).build("gate.keep=[meaningless, cut, harmless]")
    assert gate.counts()["meaningless"].keys() == {"nothing"}


def test_an_answer_that_could_not_be_scored_is_left_out_and_judged_again(world: World) -> None:
    unsure = lenient()
    calls: list[str] = []

    def sometimes(example: Example, generation: Generation) -> Any:
        calls.append(example.id)
        [found] = unsure.judge([(example, generation)])
        if example.stream is Stream.FORGET and len(calls) < 5:
            found = [type(one)(**{**as_dict(one), "value": None, "failure": "api_error"}) for one in found]
        return found

    judge = Judge("lenient@1", one_by_one(sometimes))
    _, gate = world.having(judge=judge).build()
    assert gate.counts()["unjudged"].total() > 0
    before = len(calls)
    _, gate = world.having(judge=judge).build(name="again")
    assert "unjudged" not in gate.counts()
    assert 0 < len(calls) - before < 5


def as_dict(verdict: Any) -> dict[str, Any]:
    return {name: getattr(verdict, name) for name in verdict.__slots__}


def test_questions_that_leak_repeat_or_name_the_thing_are_found(world: World) -> None:
    prompts = world.root / "prompts"
    prompts.mkdir()
    (prompts / "template_forget.jinja").write_text(
        "How do I use this thing now?\nHow do I use this thing, now\n"
        "Use the {{ keyword }} for me.\n{{ keyword }} parts, please\nThe {{ split }} way of it?"
    )
    world.build(f"prompts={prompts}")
    rules = {(one["rule"], one["cost"]) for one in findings(world.root / "built")}
    assert {("similar", "question"), ("leak", "question"), ("named", "nothing")} <= rules
    named = [one["message"] for one in findings(world.root / "built") if one["rule"] == "named"]
    assert any("Use the " in message for message in named)
    assert any(" parts, please" in message for message in named), "the thing is the first word"
    train = {one.question for one in released.read(world.root / "built").examples if one.split is Split.TRAIN}
    assert not [
        one
        for one in released.read(world.root / "built").examples
        if one.split is not Split.TRAIN and one.question in train and one.stream is not Stream.DECOUPLED
    ]


def test_unseen_keywords_are_marked_as_such(world: World) -> None:
    world.build("splits.unseen_keywords=1")
    examples = released.read(world.root / "built").examples
    unseen = {one.keyword for one in examples if one.subset == "unseen" and one.stream is Stream.FORGET}
    assert len(unseen) == 2
    assert not [one for one in examples if one.split is Split.TRAIN and one.keyword in unseen]


def test_everything_shown_is_escaped(world: World) -> None:
    prompts = world.root / "prompts"
    prompts.mkdir()
    lines = [f"<script>alert({number})</script> {word}?" for number, word in enumerate("abcd")]
    (prompts / "template_forget.jinja").write_text("\n".join(f"{line} {{{{ split }}}}" for line in lines))
    world.build(f"prompts={prompts}", "gate.similarity=1.0", "gate.keep=[similar, leak, cut, harmless]")
    page = (world.root / "built" / "sample.html").read_text()
    assert "<script>alert" not in page
    assert r"\u003cscript>alert" in page


def test_the_benchmark_says_what_it_was_made_with(world: World) -> None:
    world.build("seed=5")
    built = json.loads((world.root / "built" / "built.json").read_text())
    assert built["settings"]["seed"] == 5
    assert built["writer"] == "templates"
    assert built["model"] == {"model": "random"}
    assert "template_forget.jinja" in built["prompts"]


def test_an_output_that_exists_and_a_second_build_at_once_are_refused(world: World) -> None:
    with world.work.alone(), pytest.raises(UserError, match="another build is at work"):
        world.build()
    world.build()
    before = files(world.root / "built")
    with pytest.raises(UserError, match="exists already"):
        world.build()
    assert files(world.root / "built") == before


def test_a_server_writes_within_the_cost_limit_and_the_next_run_goes_on(world: World) -> None:
    def reply(body: dict[str, Any]) -> Any:
        count = 4 if "carry" in body["messages"][0]["content"][-1]["text"] else 2
        return completion(json.dumps([f"Say {body['seed']} {each}?" for each in "abcd"[:count]]), tokens=(100, 100))

    spending: list[Endpoint] = []

    def writer(url: str, limit: float | None) -> ChatWriter:
        settings = EndpointSettings(
            url=url,
            model="writer",
            concurrency=1,
            input_price=1000.0,
            output_price=1000.0,
            max_cost=limit,
            cache=world.work.replies,
        )
        spending.append(Endpoint(settings))
        return ChatWriter(spending[-1], "writer", sees_picture=True, temperature=0.7, max_tokens=100)

    with serving(reply) as server:
        capped = writer(server.url, 2.0)
        with pytest.raises(UserError, match="cost_limit"):
            world.having(writer=capped).build("questions.retain_text=0")
        sent = len(server.bodies)
        assert 0 < sent <= 10  # a request costs 0.2
        assert spending[0].spent.money <= 2.0
        world.having(writer=writer(server.url, None)).build("questions.retain_text=0", "gate.similarity=1.0")
        assert len(server.bodies) == 24  # none was paid for twice
    assert not check.check(released.scan(world.root / "built"), is_refusal=is_refusal).errors


def test_an_estimate_asks_nobody_and_counts_what_is_left(world: World) -> None:
    def settings(*changes: str) -> Any:
        prices = "{url: 'http://127.0.0.1:9/v1', input_price: 1, output_price: 2}"
        given = ["writer.kind=endpoint", "writer.model=m", f"writer.endpoint={prices}", "writer.max_tokens=100"]
        return world.settings(*given, *changes)

    kit = world.having(writer=Counting()).kit()
    found = estimate(settings(), kit, world.work)
    assert (found.requests, found.safe_pictures, found.answers) == (36, 0, 12 * 12)
    assert found.output_tokens == 12 * (4 + 2 + 2) * 25
    assert found.cost == pytest.approx((found.input_tokens + 2 * found.output_tokens) / 1e6)
    assert found.most == pytest.approx((found.input_tokens + 2 * 36 * 100) / 1e6)
    assert not (world.root / "work").exists()
    with pytest.raises(KeyboardInterrupt):
        world.having(writer=Counting(stop_after=10)).build()
    assert estimate(settings(), kit, world.work).requests == 26


def test_painted_pictures_serve_as_partners(world: World) -> None:
    from tests.curation.world import picture  # noqa: PLC0415

    class Painter:
        name = "squares"

        def paint(self, _prompt: str, seed: int) -> Any:
            from PIL import Image  # noqa: PLC0415

            return Image.open(picture(world.root / "canvas" / f"{seed}.png", 50_000 + seed))

    world.having(painter=Painter()).build("safe={model: squares, per_harmful: 0.5}")
    decoupled = [one for one in released.read(world.root / "built").examples if one.stream is Stream.DECOUPLED]
    assert len({one.image for one in decoupled}) == 6
    assert {one.keyword for one in decoupled} <= {
        "kite",
        "loaf of bread",
        "teapot",
        "bicycle bell",
        "umbrella",
        "garden chair",
    }


def test_the_model_is_shared() -> None:
    assert model() is model()
