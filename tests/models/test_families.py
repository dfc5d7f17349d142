"""The battery that every family goes through: tokens, pictures, training and saving, on tiny random models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, TrainingArguments

from safeeraser.errors import UserError
from safeeraser.generation.engine import Engine, continuations
from safeeraser.generation.settings import GenerateSettings
from safeeraser.models.chat import Chat, ChatError, ChatTokenizer, pad
from safeeraser.models.forward import AnswerScorer, packed
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import Projector, attach, language_targets, projector_name
from safeeraser.models.merging import merged
from safeeraser.models.packing import obstacle
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Target, find
from safeeraser.records import Example, Split, Stream
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.rows import TrainingRows
from safeeraser.unlearning.streams import stream_outputs
from safeeraser.unlearning.trainer import UnlearnTrainer
from tests import tiny_random
from tests.models import families

QUESTION, ANSWER = "What is it?", "A kettle, I think."
SIZES = ((40, 30), (28, 28), (90, 40))


class FamilyTests:
    """What holds for every family; a subclass says how its model is made."""

    name: str
    no_linear_projector = False
    not_packed: str | None = None

    @pytest.fixture(scope="class")
    @classmethod
    def loaded(cls) -> LoadedModel:
        return families.FAMILIES[cls.name]()

    @pytest.fixture
    def chat(self, loaded: LoadedModel) -> ChatTokenizer:
        return ChatTokenizer.of(loaded)

    @pytest.fixture(scope="class")
    @classmethod
    def images(cls, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
        """Pictures of several sizes and shapes, none of one colour."""
        folder, noise = tmp_path_factory.mktemp("pictures"), torch.Generator().manual_seed(0)
        paths = [folder / f"{number}.png" for number in range(len(SIZES))]
        for path, (width, height) in zip(paths, SIZES, strict=True):
            pixels = torch.randint(256, (height, width, 3), generator=noise, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(path)
        return paths

    def processed(self, chat: ChatTokenizer, image: Path) -> dict[str, Tensor]:
        """What the processor itself makes of a question about a picture."""
        content = [{"type": "image"}, {"type": "text", "text": QUESTION}]
        text = chat.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        special = not text.startswith(chat.tokenizer.bos_token or text)
        with Image.open(image) as picture:
            return chat.processor(text=[text], images=[picture], add_special_tokens=special, return_tensors="pt")

    def test_mask_is_the_answer_and_its_end_of_turn(self, chat: ChatTokenizer, images: list[Path]) -> None:
        for image in (*images, None):
            row = chat.answered(QUESTION, image, ANSWER)
            *answer, stop = row.ids[row.prompt_length :]
            special = {token for token, added in chat.tokenizer.added_tokens_decoder.items() if added.special}
            assert chat.tokenizer.decode([token for token in answer if token not in special]).strip() == ANSWER
            assert stop in chat.end_of_turn
            assert not chat.end_of_turn & set(answer)

    def test_the_end_of_the_turn_is_the_templates_own(self, chat: ChatTokenizer) -> None:
        said = [(role, [{"type": "text", "text": text}]) for role, text in (("user", QUESTION), ("assistant", ANSWER))]
        written = chat.processor.apply_chat_template([{"role": role, "content": content} for role, content in said])
        own = chat.tokenizer(written.rpartition(ANSWER)[2], add_special_tokens=False)["input_ids"]
        stops = [place for place, token in enumerate(own) if token in chat.end_of_turn]
        expected = own[: stops[0] + 1] if stops else [chat.tokenizer.eos_token_id]  # where it leaves it to the caller
        row = chat.answered(QUESTION, None, ANSWER)
        assert list(row.ids[row.words.stop :]) == expected

    @pytest.mark.parametrize("started", [1, 5, 15, 99])  # a word, a character, a third of one, more than all
    def test_a_begun_answer_turns_behind_what_was_said(
        self, chat: ChatTokenizer, images: list[Path], started: int
    ) -> None:
        begun = chat.answered(QUESTION, images[0], "Take number 0 — it’s easy.")
        row = chat.turned(begun, started, "I cannot help.")
        assert row.ids[: row.prompt_length] == begun.ids[: min(begun.prompt_length + started, begun.words.stop)]
        then, closing = (
            row.ids[places] for places in (slice(row.prompt_length, row.words.stop), slice(row.words.stop, None))
        )
        assert chat.tokenizer.decode(then) == " I cannot help."
        assert closing == begun.ids[begun.words.stop :]

    @pytest.mark.parametrize("odd", ["Two  spaces, ÜMLAUT and\na line break", "42", "?", " leading", "trailing \n"])
    def test_the_answer_keeps_its_text(self, chat: ChatTokenizer, images: list[Path], odd: str) -> None:
        row = chat.answered("What is it? 42?", images[0], odd)
        assert odd in chat.tokenizer.decode(row.ids[row.prompt_length :])

    def test_training_sees_the_prompt_of_generation(self, chat: ChatTokenizer, images: list[Path]) -> None:
        for image in (*images, None):
            row = chat.answered(QUESTION, image, ANSWER)
            assert row.ids[: row.prompt_length] == chat.prompt(QUESTION, image).ids

    def test_the_prompt_is_the_processors_own(self, chat: ChatTokenizer, images: list[Path]) -> None:
        for image in images:
            own = self.processed(chat, image)
            assert chat.prompt(QUESTION, image).ids == tuple(own["input_ids"][0].tolist())

    def test_batch_of_one_equals_batch_of_many(
        self, loaded: LoadedModel, chat: ChatTokenizer, images: list[Path]
    ) -> None:
        questions = ["What is it?", "Hm?", "Is there anything that I should know about it?"]
        rows = [chat.answered(each, image, ANSWER) for each, image in zip(questions, images, strict=True)]
        rows += [chat.answered("Hello there", None, ANSWER), chat.answered("Once more, what is it?", images[0], "No.")]
        together = _logits(loaded, VisionFeatures(loaded.model, chat), rows)
        for row, found in zip(rows, together, strict=True):
            alone = _logits(loaded, VisionFeatures(loaded.model, chat), [row])[0]
            torch.testing.assert_close(found, alone, atol=1e-4, rtol=1e-4)

    def test_a_picture_alone_equals_the_processors_inputs(
        self, loaded: LoadedModel, chat: ChatTokenizer, images: list[Path]
    ) -> None:
        for image in images:
            with torch.no_grad():
                plain = loaded.model(**self.processed(chat, image)).logits[0]
            ours = _logits(loaded, VisionFeatures(loaded.model, chat), [chat.prompt(QUESTION, image)])[0]
            torch.testing.assert_close(ours, plain, atol=1e-4, rtol=1e-4)

    def test_the_picture_is_seen(self, loaded: LoadedModel, chat: ChatTokenizer, images: list[Path]) -> None:
        vision = VisionFeatures(loaded.model, chat)
        one, other = chat.answered(QUESTION, images[0], ANSWER), chat.answered(QUESTION, images[1], ANSWER)
        assert (_logits(loaded, vision, [one])[0][-1] - _logits(loaded, vision, [other])[0][-1]).abs().max() > 1e-3

    def test_generation_pads_on_the_left(self, loaded: LoadedModel, chat: ChatTokenizer, images: list[Path]) -> None:
        rows = [chat.prompt(QUESTION, images[0]), chat.prompt("Hello there, what would you like?", None)]
        vision = VisionFeatures(loaded.model, chat)
        together = _generated(loaded, vision, rows)
        assert together == [_generated(loaded, vision, [row])[0] for row in rows]

    def test_rows_that_have_ended_leave_the_batch(
        self, loaded: LoadedModel, chat: ChatTokenizer, images: list[Path]
    ) -> None:
        if self.not_packed is not None:
            return
        asked = [(f"What is it{' now' * number}?", images[number % 2]) for number in range(5)] + [("Hello there", None)]
        rows, vision = [chat.prompt(*each) for each in asked], VisionFeatures(loaded.model, chat)
        spoken = {token for tokens in _generated(loaded, vision, rows) for token in tokens}
        ends = {*sorted(spoken)[::3], *chat.end_of_turn}  # some rows end early, some late
        sizes: list[int] = []
        hook = loaded.model.register_forward_pre_hook(
            lambda _module, _args, given: sizes.append(len(given["input_ids"])), with_kwargs=True
        )
        ids, attention = pad(rows, chat.pad_id, left=True)
        keys = {"ends": ends, "pad_id": chat.pad_id, "max_new_tokens": 12}
        made = []
        try:
            for shrinks in (False, True):
                inputs = vision.batch(ids, attention, [row.image for row in rows])
                made.append(continuations(loaded.model, inputs, shrinks=shrinks, **keys))
                sizes.append(0)
        finally:
            hook.remove()
        assert made[0] == made[1]
        whole, shrunk = sizes[: sizes.index(0)], sizes[sizes.index(0) + 1 : -1]
        assert len({len(each.ids) for each in made[0]}) > 1
        assert len(shrunk) == len(whole)
        assert {*whole} == {6}
        assert min(shrunk) < 6

    def test_questions_about_one_picture_share_its_keys_and_values(
        self, loaded: LoadedModel, chat: ChatTokenizer, images: list[Path]
    ) -> None:
        settings, picture = GenerateSettings(max_new_tokens=4), chat.processor.image_token_id
        examples = [
            Example(
                id=str(number),
                split=Split.VALIDATION,
                stream=Stream.RETAIN,
                image=images[number % 2],
                question=f"What is it{' now' * number}?",
                answer="",
            )
            for number in range(5)
        ]
        tokens: list[int] = []
        hook = loaded.model.register_forward_pre_hook(
            lambda _module, _args, given: tokens.append(int((given["input_ids"] == picture).sum())), with_kwargs=True
        )
        try:
            together = Engine(loaded, settings).answer(settings.requests(examples))
            shared, _ = sum(tokens), tokens.clear()
            alone = [Engine(loaded, settings).answer(settings.requests([each]))[0] for each in examples]
        finally:
            hook.remove()
        assert together == alone
        assert (shared < sum(tokens)) == (self.not_packed is None)

    def test_targets_are_in_the_language_model(self, loaded: LoadedModel) -> None:
        pattern = language_targets(loaded.model)
        matched = [name for name, _ in loaded.model.named_modules() if re.fullmatch(pattern, name)]
        tower = loaded.model.get_encoder(modality="image")
        inside = {name for name, module in loaded.model.named_modules() if _within(module, tower)}
        assert matched
        assert not inside & set(matched)
        assert {"q_proj", "down_proj"} <= {name.rpartition(".")[2] for name in matched}

    @pytest.mark.parametrize("projector", ["full", "lora", "sine"])
    def test_the_projector_is_all_that_is_trained_besides(self, projector: Projector) -> None:
        model = families.FAMILIES[self.name]().model
        if projector == "lora" and self.no_linear_projector:
            with pytest.raises(UserError, match="no linear layers in"):
                attach(model, r=2, alpha=4, dropout=0.0, projector=projector)
            return
        name = projector_name(model)
        pattern = language_targets(model)
        adapted = attach(model, r=2, alpha=4, dropout=0.0, projector=projector)
        trained = [
            key.removeprefix("base_model.model.") for key, value in adapted.named_parameters() if value.requires_grad
        ]
        inside = [key for key in trained if key.startswith(f"{name}.")]
        assert inside
        assert all(re.fullmatch(pattern, key.partition(".lora_")[0]) for key in trained if key not in inside)

    @pytest.mark.slow
    def test_training_changes_the_adapter_only(self, chat: ChatTokenizer, tmp_path: Path) -> None:
        loaded = families.FAMILIES[self.name]()
        before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
        adapted = attach(loaded.model, r=2, alpha=4, dropout=0.0)
        examples = tiny_random.examples(tmp_path)
        method = find("po")
        trainer = UnlearnTrainer(
            method=method,
            vision=VisionFeatures(loaded.model, chat),
            model=adapted,
            args=TrainingArguments(
                output_dir=str(tmp_path / "run"),
                max_steps=2,
                per_device_train_batch_size=2,
                learning_rate=0.05,
                save_strategy="no",
                report_to="none",
                use_cpu=True,
                remove_unused_columns=False,
                disable_tqdm=True,
            ),
            train_dataset=TrainingRows(examples, tiny_random.REFUSALS, method.targets, seed=0, length=4),
            data_collator=Collator(chat),
        )
        trainer.train()
        after = {name.replace(".base_layer", ""): value for name, value in loaded.model.state_dict().items()}
        assert all(torch.equal(after[name], value) for name, value in before.items())
        moved = [value for name, value in after.items() if "lora_B" in name]
        assert moved
        assert any(value.abs().max() > 0 for value in moved)

    def test_streams_of_a_batch_equal_a_plain_forward(
        self, loaded: LoadedModel, chat: ChatTokenizer, tmp_path: Path
    ) -> None:
        rows = TrainingRows(tiny_random.examples(tmp_path), tiny_random.REFUSALS, (Target.RETAIN,), seed=0, length=4)
        batch = Collator(chat)([rows[number] for number in range(4)])
        output = stream_outputs(loaded.model, batch, VisionFeatures(loaded.model, chat))[Target.RETAIN]
        for number in range(4):
            turn = rows[number][Target.RETAIN]
            row = chat.answered(turn.example.question, turn.example.image, turn.answer)
            logits = _logits(loaded, VisionFeatures(loaded.model, chat), [row])[0]
            expected = (
                logits[:-1].log_softmax(-1).gather(1, torch.tensor(row.ids)[1:, None])[row.prompt_length - 1 :, 0]
            )
            torch.testing.assert_close(output.logprobs[number][output.mask[number]], expected, atol=1e-4, rtol=1e-4)

    def test_answers_about_one_picture_share_its_tokens(
        self, loaded: LoadedModel, chat: ChatTokenizer, images: list[Path]
    ) -> None:
        found = obstacle(loaded)
        if self.not_packed is not None:
            assert self.not_packed in str(found)
            return
        assert found is None
        asked = [*((f"What is it{' now' * number}?", images[number % 2]) for number in range(5)), ("Hello", None)]
        rows = [chat.answered(question, image, ANSWER) for question, image in asked]
        (whole,) = packed(rows, chat, torch.device("cpu"))
        assert whole.ids.numel() < sum(len(row.ids) for row in rows)
        vision = VisionFeatures(loaded.model, chat)
        for row, output in zip(rows, AnswerScorer(loaded)(rows), strict=True):
            alone = _logits(loaded, vision, [row])[0][row.prompt_length - 1 : -1]
            torch.testing.assert_close(output.logits, alone, atol=1e-4, rtol=1e-4)

    def test_saved_and_loaded_the_logits_are_equal(
        self, loaded: LoadedModel, chat: ChatTokenizer, images: list[Path], tmp_path: Path
    ) -> None:
        loaded.model.save_pretrained(tmp_path)
        model = AutoModelForImageTextToText.from_pretrained(tmp_path).eval()
        rows = [chat.answered(QUESTION, images[0], ANSWER)]
        again = _logits(LoadedModel(model, loaded.processor, "again"), VisionFeatures(model, chat), rows)[0]
        before = _logits(loaded, VisionFeatures(loaded.model, chat), rows)[0]
        torch.testing.assert_close(again, before, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(model.state_dict(), loaded.model.state_dict(), rtol=0, atol=0)

    def test_an_adapter_saved_and_merged_gives_equal_logits(
        self, loaded: LoadedModel, chat: ChatTokenizer, images: list[Path], tmp_path: Path
    ) -> None:
        rows = [chat.answered(QUESTION, images[0], ANSWER), chat.answered("Hello there", None, ANSWER)]
        trained, fresh = (families.FAMILIES[self.name]() for _ in "ab")
        adapted = attach(trained.model, r=2, alpha=4, dropout=0.0, projector="full").eval()
        noise = torch.Generator().manual_seed(1)
        for parameter in (each for each in adapted.parameters() if each.requires_grad):
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=noise)
        adapted.save_pretrained(str(tmp_path))
        model = merged(fresh.model, fresh.processor, tmp_path)
        again = LoadedModel(model, fresh.processor, "again")
        found = _logits(again, VisionFeatures(model, chat), rows)
        expected = _logits(trained, VisionFeatures(trained.model, chat), rows)
        plain = _logits(loaded, VisionFeatures(loaded.model, chat), rows)
        for one, other, before in zip(found, expected, plain, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
            assert (one - before).abs().max() > 1e-3


class TestLlava(FamilyTests):
    name = "LLaVA-1.5"

    def test_training_changes_the_adapter_only(self, chat: ChatTokenizer, tmp_path: Path) -> None:
        super().test_training_changes_the_adapter_only(chat, tmp_path)


class TestLlavaNext(FamilyTests):
    name = "LLaVA-NeXT"


class TestLlavaOnevision(FamilyTests):
    name = "LLaVA-OneVision"


class TestQwen2VL(FamilyTests):
    name = "Qwen2-VL"
    not_packed = "M-RoPE"


class TestQwen25VL(FamilyTests):
    name = "Qwen2.5-VL"
    not_packed = "M-RoPE"


class TestQwen3VL(FamilyTests):
    name = "Qwen3-VL"
    not_packed = "M-RoPE"


class TestMllama(FamilyTests):
    name = "Llama-3.2-Vision"
    not_packed = "cross-attention"


class TestInternVL(FamilyTests):
    name = "InternVL"


class TestGemma3(FamilyTests):
    name = "Gemma 3"
    not_packed = "see what comes after"
    no_linear_projector = True


class TestIdefics3(FamilyTests):
    name = "Idefics3"


class TestPaliGemma(FamilyTests):
    name = "PaliGemma"
    not_packed = "see what comes after"

    def processed(self, chat: ChatTokenizer, image: Path) -> dict[str, Tensor]:
        """This processor writes the prompt itself, start of text and line break included."""
        with Image.open(image) as picture:
            made = dict(chat.processor(text=[f"<image>{QUESTION}"], images=[picture], return_tensors="pt"))
        return {**made, "token_type_ids": torch.zeros_like(made["input_ids"]), "labels": None}

    def test_without_a_chat_template(self) -> None:
        with pytest.raises(ChatError, match="PaliGemmaProcessor: no chat template"):
            ChatTokenizer.of(families.paligemma(template=None))


class TestAyaVision(FamilyTests):
    name = "Aya Vision"
    not_packed = "sliding window"


@torch.no_grad()
def _logits(loaded: LoadedModel, vision: VisionFeatures, rows: list[Chat]) -> list[Tensor]:
    """Each row's logits, padding cut off."""
    ids, mask = pad(rows, 0)
    answers = torch.tensor([[row.prompt_length <= at < len(row.ids) for at in range(ids.shape[1])] for row in rows])
    logits = loaded.model(**vision.batch(ids, mask, [row.image for row in rows], answers), use_cache=False).logits
    return [logits[number, : len(row.ids)] for number, row in enumerate(rows)]


@torch.no_grad()
def _generated(loaded: LoadedModel, vision: VisionFeatures, rows: list[Chat]) -> list[list[int]]:
    ids, mask = pad(rows, 0, left=True)
    inputs = vision.batch(ids, mask, [row.image for row in rows])
    made = loaded.model.generate(**inputs, max_new_tokens=4, min_new_tokens=4, do_sample=False)
    return made[:, ids.shape[1] :].tolist()


def _within(module: nn.Module, outer: nn.Module) -> bool:
    return any(module is each for each in outer.modules())


def test_the_page_names_every_family() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([^|]+) \| proven", page, re.MULTILINE) == list(families.FAMILIES)
    assert {each.name for each in FamilyTests.__subclasses__()} == set(families.FAMILIES)
