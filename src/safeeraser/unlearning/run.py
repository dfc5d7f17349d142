"""The one training path: examples and an objective -> a PEFT adapter on disk."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import reduce
from accelerate.utils.memory import should_reduce_batch_size
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from transformers import EarlyStoppingCallback, PreTrainedModel, PrinterCallback, set_seed

from safeeraser import pixels, provenance
from safeeraser.errors import UserError
from safeeraser.models.adapters.soup import write_soup
from safeeraser.models.chat import ChatTokenizer
from safeeraser.models.load import LoadedModel
from safeeraser.models.lora import adapter_targets, attach, detach, save
from safeeraser.models.merging import known_by, note_base
from safeeraser.models.numbers import check_weights
from safeeraser.models.packing import obstacle
from safeeraser.models.prepare import check_examples
from safeeraser.models.processes import on_main, owned_by_main, processes
from safeeraser.models.sine import materialise
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Method, Need, Target, find
from safeeraser.objectives.loss import Loss
from safeeraser.progress import ProgressBar
from safeeraser.records import LARGEST_SEED, Example, Split
from safeeraser.unlearning import soup
from safeeraser.unlearning.arguments import arguments, check_trackers
from safeeraser.unlearning.average import WeightAverage
from safeeraser.unlearning.callbacks import LossLog, NothingLearned, StopForgetNll, TimedCheckpoints, WholeCheckpoints
from safeeraser.unlearning.collate import Collator
from safeeraser.unlearning.gradient_mask import GradientMask, gradient_mask
from safeeraser.unlearning.neutral import safe_pictures, with_neutral
from safeeraser.unlearning.output import Output
from safeeraser.unlearning.rows import TrainingRows, forget_examples
from safeeraser.unlearning.settings import UnlearnSettings
from safeeraser.unlearning.sharding import VisionInForward, shard_by_layer, weights_are_sharded
from safeeraser.unlearning.trainer import UnlearnTrainer, check_layers
from safeeraser.unlearning.watch import OBJECTIVE, TellWatch, Watch, Watching, points

logger = logging.getLogger(__name__)


def unlearn(
    loaded: LoadedModel,
    examples: Sequence[Example],
    refusals: Sequence[str],
    method: str | Method,
    settings: UnlearnSettings,
    output: Path,
    watch: Watch | None = None,
) -> Path:
    """Train an adapter and return its folder, `output`/adapter; `loaded.model` is as before afterwards.

    Trained on are examples of the train split only; with `settings.eval_steps` those of the selection split say which
    adapter is the best: by what `watch` measures, or without it by the loss. A run that was stopped goes on from its
    last checkpoint when called again with the same arguments, and a finished one is not trained again. Under torchrun
    or `accelerate launch` the processes share the rows of each step, and the main one writes the files.

    Raises UserError for an unknown method, for data the method cannot be trained on, for examples that the model cannot
    be shown, for settings that do not go with the method or the number of processes, and where `output` was made with
    other settings.
    """
    method = _bound(method, settings)
    check_model(loaded, method, settings)
    rows = check(examples, refusals, method, settings)
    watch = watch if settings.eval_steps is not None else None
    if watch is not None and weights_are_sharded():
        raise UserError("eval_questions: answers need whole weights in every process: use DDP, or set it to 0")
    if weights_are_sharded() and len({each.image is None for each in rows[Split.TRAIN].forget}) == 2:
        raise UserError("some forget examples have a picture and some have none: use DDP, or train on them apart")
    watched = {} if watch is None else {"watched": watch.identity}
    folder = Output(output, _inputs(loaded, examples, refusals, method, settings) | watched)
    with owned_by_main(output):
        if on_main(folder.open):
            logger.warning("%s: finished before with the same settings, used as it is", output)
            return folder.adapter
        if method.soup:
            members: list[Path] = []
            for number, member in enumerate(soup.members(method, settings), 1):
                logger.warning("%s: training %d of %g", output, number, method.soup)
                members.append(unlearn(loaded, examples, refusals, *member, folder.members / str(number), watch))
            on_main(lambda: folder.finish(lambda place: write_soup(members, place), soup.results(members)))
            return folder.adapter
        if method.neutral:
            shown = rows[Split.TRAIN].examples
            examples = with_neutral(
                loaded, examples, shown, method.neutral, method.forms or 0.0, settings.seed, folder.neutral
            )
            rows = _rows(examples, refusals, method, settings)
        chat = ChatTokenizer.of(loaded)
        for part in rows.values():
            check_examples(chat, part.examples, answered=True)
        base = known_by(loaded.model, loaded.processor)
        set_seed(settings.seed)
        adapted = attach(
            loaded.model,
            r=settings.lora_r,
            alpha=settings.lora_alpha,
            dropout=settings.lora_dropout,
            layers=settings.lora_layers,
            projector=settings.projector,
        )
        try:
            _freeze_unread(loaded.model, method)
            mask = gradient_mask(loaded, adapted, examples, method, settings)
            _train(loaded, adapted, rows, method, settings, folder, mask, watch, base)
        finally:
            detach(adapted)
            loaded.model.activation_checkpointing_disable()
            loaded.model.eval()
    return folder.adapter


def _freeze_unread(model: PreTrainedModel, method: Method) -> None:
    """Do not train layers above all that the losses read: no gradient gets there, and other processes wait for one."""
    if all(Need.HIDDEN in term.needs for term in method.terms):  # such losses read nothing else
        for layer in model.get_decoder().layers[max(method.layers) + 1 :]:
            layer.requires_grad_(False)


def check(
    examples: Sequence[Example], refusals: Sequence[str], method: str | Method, settings: UnlearnSettings
) -> dict[Split, TrainingRows]:
    """The rows that `unlearn` would train on and, where asked, evaluate with.

    Raises UserError for whatever `unlearn` refuses, as far as it can be told without the model.
    """
    method = _bound(method, settings)
    if settings.stop_forget_nll is not None and Target.FORGET not in method.targets:
        raise UserError(f"{method.name} has no term on the harmful answers: stop_forget_nll has nothing to watch")
    for end, option in (("+sam", method.rho), ("+swa", method.swa)):
        if option and weights_are_sharded():
            raise UserError(f"{method.name} needs whole weights in every process: use DDP, or a method without {end}")
    if method.swa and settings.eval_steps is not None:
        raise UserError(f"{method.name} keeps a mean over many steps, eval_steps the best one: leave one of them out")
    settings.share(processes().num_processes)
    check_trackers(settings.report_to)
    pixels.check(each.image for each in examples if each.image)
    try:
        rows = _rows(examples, refusals, method, settings)
        if method.neutral:
            safe_pictures(rows[Split.TRAIN].examples)
        return rows
    except UserError as error:
        raise UserError(f"{method.name}: {error}") from error


def check_model(loaded: LoadedModel, method: str | Method, settings: UnlearnSettings) -> None:
    """Raises UserError for whatever `unlearn` refuses about the model, such as a processor without a chat template."""
    check_layers(_bound(method, settings), loaded.model, settings.lora_layers)
    adapter_targets(loaded.model, settings.lora_layers, settings.projector)
    ChatTokenizer.of(loaded)
    if settings.pack_pictures and (reason := obstacle(loaded)):
        raise UserError(f"model {loaded.name} cannot be trained with pack_pictures: {reason}")


def _bound(method: str | Method, settings: UnlearnSettings) -> Method:
    """The method with the run's values and its own options."""
    method = find(method, settings.preset) if isinstance(method, str) else method
    return method.supply(first_token_weight=settings.first_token_weight, seed=settings.seed).bind(**settings.options)


def _rows(
    examples: Sequence[Example], refusals: Sequence[str], method: Method, settings: UnlearnSettings
) -> dict[Split, TrainingRows]:
    """The rows to train on and, where asked, to evaluate with."""
    lengths = {Split.TRAIN: settings.total_rows(len(forget_examples(examples, settings.limit)))}
    if settings.eval_steps is not None:
        lengths[Split.SELECTION] = settings.evaluation_rows(len(forget_examples(examples, split=Split.SELECTION)))
    return {
        split: TrainingRows(
            examples,
            refusals,
            method.targets,
            seed=settings.seed,
            length=length,
            step_rows=settings.rows_per_step if split is Split.TRAIN and settings.accumulation > 1 else 1,
            by_picture=settings.pack_pictures,
            limit=settings.limit if split is Split.TRAIN else None,
            split=split,
            rivals=any(Need.RIVAL in need for need in method.needs.values()),
            recovery=method.recovery or 0.0,
        )
        for split, length in lengths.items()
    }


def _train(
    loaded: LoadedModel,
    adapted: PeftModel,
    rows: dict[Split, TrainingRows],
    method: Method,
    settings: UnlearnSettings,
    folder: Output,
    mask: GradientMask | None,
    watch: Watch | None,
    base: Sequence[float],
) -> None:
    done = _resume(folder)
    logged = on_main(folder.logged) if watch is not None else []
    before = next((each for each in logged if not each["step"]), None)
    watching = None if watch is None else Watching(watch, loaded, before)
    chat, model = ChatTokenizer.of(loaded), loaded.model
    trainer = UnlearnTrainer(
        method=method,
        mask=mask,
        watching=watching,
        vision=_vision(loaded, chat, adapted, settings),
        model=adapted,
        args=arguments(settings, folder.checkpoints, model.device, OBJECTIVE if watch else "loss"),
        train_dataset=rows[Split.TRAIN],
        eval_dataset=rows.get(Split.SELECTION),
        data_collator=Collator(chat, packs=obstacle(loaded) is None),
    )
    shard_by_layer(trainer.accelerator, model)
    steps = len(rows[Split.TRAIN]) // settings.rows_per_step
    start = time.monotonic()
    with ProgressBar(f"unlearn {method.name}", steps, done=done) as bar, quick(loaded.model, adapted):
        if method.swa:
            trainer.add_callback(WeightAverage(adapted, method.swa, folder.place))
        _add_callbacks(trainer, settings, folder, bar)
        if watching is not None:
            _begin_watch(watching, logged, folder, trainer)
        set_seed((settings.seed + processes().process_index) % (LARGEST_SEED + 1))  # each draws its own dropout
        try:
            trainer.train(resume_from_checkpoint=folder.checkpoint(done))
        except KeyboardInterrupt:
            _tell_what_is_kept(trainer.state.global_step, folder)
            raise
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if not should_reduce_batch_size(error):
                raise
            raise UserError(_out_of_memory(method, settings)) from error
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    check_weights(folder.folder, ((name, value) for name, value in adapted.named_parameters() if value.requires_grad))
    results = _results(trainer, settings, done, time.monotonic() - start)
    if method.neutral:
        shown = rows[Split.TRAIN].examples
        results["neutral_pictures"] = sum(bool(each.image and folder.neutral in each.image.parents) for each in shown)
    settled = materialise(adapted, weights) if weights else {}  # ZeRO-3 gathers them in the main process alone

    def write(place: Path) -> None:
        save(adapted, place, loaded.name, settled)
        note_base(place, base)

    on_main(lambda: folder.finish(write, results))


def _begin_watch(
    watching: Watching, logged: Sequence[dict[str, float]], folder: Output, trainer: UnlearnTrainer
) -> None:
    """Measure before the first step, or tell again what was measured before a run was stopped."""
    if not logged:
        found = watching()
        on_main(lambda: folder.log({"step": 0, **found}))
    for step, objective in points(logged):
        watching.watch.told(step, objective)
    trainer.add_callback(TellWatch(watching.watch))


def _tell_what_is_kept(step: int, folder: Output) -> None:
    """A stop loses the steps since the last checkpoint, which may be all."""
    kept = folder.newest()
    if step > kept:
        logger.warning("stopped after step %d; %s", step, f"kept is step {kept}" if kept else "no checkpoint yet")


def _out_of_memory(method: Method, settings: UnlearnSettings) -> str:
    half, twice = settings.batch_size // 2, settings.accumulation * 2
    same = not settings.batch_size % 2 and method.rho is None  # +sam goes uphill for each forward pass anew
    smaller = f"batch_size={half} accumulation={twice} makes the same steps, and " if same else ""
    return (
        f"out of memory with batch_size {settings.batch_size}: {smaller}gradient_checkpointing=true takes less memory "
        "and more time; name a new folder for other settings"
    )


def _vision(loaded: LoadedModel, chat: ChatTokenizer, adapted: PeftModel, settings: UnlearnSettings) -> VisionFeatures:
    if weights_are_sharded():
        return VisionInForward(loaded.model, chat, adapted)
    return VisionFeatures(loaded.model, chat, loaded.features if settings.projector == "frozen" else None)


def _resume(folder: Output) -> int:
    """The step to go on from."""
    step, count = on_main(folder.resume)
    if step and count != processes().num_processes:
        logger.warning("step %d was written by %d processes: from here on dropout draws differently", step, count)
    return step


def _add_callbacks(trainer: UnlearnTrainer, settings: UnlearnSettings, folder: Output, bar: ProgressBar) -> None:
    trainer.remove_callback(PrinterCallback)
    if processes().is_main_process:
        trainer.add_callback(LossLog(folder.log, bar))
    trainer.add_callback(NothingLearned())
    if settings.stop_forget_nll is not None:
        trainer.add_callback(StopForgetNll(settings.stop_forget_nll))
    if settings.patience is not None:
        trainer.add_callback(EarlyStoppingCallback(settings.patience))
    if settings.save_steps is None and settings.eval_steps is None:
        trainer.add_callback(TimedCheckpoints(60 * settings.save_minutes))
    trainer.add_callback(WholeCheckpoints(folder.mark_whole))


def _results(trainer: UnlearnTrainer, settings: UnlearnSettings, done: int, seconds: float) -> dict[str, Any]:
    """What the manifest says of the run, besides its inputs."""
    state = trainer.state
    trained = state.global_step - done
    tokens = reduce(torch.tensor(trainer.tokens, device=trainer.args.device), reduction="sum").item()
    name = OBJECTIVE if trainer.args.metric_for_best_model == OBJECTIVE else "selection_loss"
    best = {"best_step": state.best_global_step, name: state.best_metric} if settings.eval_steps else {}
    return {
        "steps": state.global_step,
        "stopped_early": state.global_step < state.max_steps,
        **best,
        "processes": processes().num_processes,
        "seconds": round(seconds, 1),
        "rows_per_second": round(trained * settings.rows_per_step / seconds, 2),
        "tokens_per_step": round(tokens / max(trained, 1)),
        **provenance.made_with(),
    }


@contextmanager
def quick(model: PreTrainedModel, adapted: PeftModel) -> Iterator[None]:
    """Train without what costs time and changes nothing.

    Autocast gives the adapter's weights the precision of its inputs, so PEFT need not convert every input. On a CPU
    the backward pass of torch's fused attention takes several times as long as that of the plain one. No gradient goes
    through the vision tower, which sees what it sees when the model answers.
    """
    tower: Any = model.get_encoder(modality="image")
    before, seeing = (part.config._attn_implementation for part in (model, tower))
    try:
        if model.device.type == "cpu":
            model.set_attn_implementation("eager")
            tower.set_attn_implementation(seeing)
        with disable_input_dtype_casting(adapted), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*broadcast_buffers", FutureWarning)  # no other way to leave that out
            yield
    finally:
        model.set_attn_implementation(before)
        tower.set_attn_implementation(seeing)


def _inputs(
    loaded: LoadedModel,
    examples: Sequence[Example],
    refusals: Sequence[str],
    method: Method,
    settings: UnlearnSettings,
) -> dict[str, Any]:
    """All that the adapter depends on, in plain values."""
    data = [[each.id, each.question, each.answer] for each in examples]
    terms = [
        {"name": term.name, "targets": [str(target) for target in term.targets], "weight": term.weight}
        for term in method.terms
    ]
    return {
        "method": method.name,
        "terms": terms,
        "losses": {term.name: {"loss": _place(term.loss), "settings": term.settings} for term in method.terms},
        **{name: value for name, value in method.own.items() if value},
        "settings": settings.results(),
        **loaded.identity,
        "data": provenance.json_hash([data, list(refusals)]),
        "pictures": provenance.json_hash(provenance.file_hashes(each.image for each in examples)),
    }


def _place(loss: Loss) -> str:
    """Where a loss is defined: others may have its name."""
    function = loss.func if isinstance(loss, partial) else loss
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"
