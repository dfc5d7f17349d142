"""The training step: one padded batch -> streams -> the method's terms."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from accelerate.utils import reduce
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.data import Sampler, SequentialSampler
from transformers import PreTrainedModel, Trainer
from transformers.trainer_utils import EvalLoopOutput

from safeeraser.errors import UserError, explained
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Method, Need, StreamOutput, Target
from safeeraser.objectives.nll import plain_nll
from safeeraser.unlearning.callbacks import FORGET_NLL
from safeeraser.unlearning.dual import DualAscent
from safeeraser.unlearning.gradient_mask import GradientMask
from safeeraser.unlearning.streams import reference_outputs, stream_outputs
from safeeraser.unlearning.watch import Watching


class UnlearnTrainer(Trainer):
    """`transformers.Trainer` with a method's objective as its loss; rows come in their own order.

    `method` has its options bound. Raises UserError where it needs a reference and the model has no adapter that can
    be switched off.
    """

    def __init__(
        self,
        *,
        method: Method,
        vision: VisionFeatures,
        mask: GradientMask | None = None,
        watching: Watching | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.loss_is_scaled_for_ga = False  # one mean over the rows of a micro-batch, which are equally many
        self._sums: dict[str, float] = {}
        self._method = method
        self._vision = vision
        self._mask = mask
        self._watching = watching
        self.tokens = 0
        self._dtype: torch.dtype = options["model"].get_input_embeddings().weight.dtype
        if any(Need.REFERENCE in need for need in method.needs.values()) and not isinstance(self.model, PeftModel):
            raise UserError(f"{method.name} compares with the model before unlearning: train an adapter, not the model")
        self.add_callback(DualAscent.of(method))

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,  # noqa: ARG002  counts tokens; the mean is over rows
    ) -> Any:
        """The method's weighted sum over its terms, each a mean over rows."""
        streams = self._streams(model, inputs)
        values = {term.name: term(streams) for term in self._method.terms}
        weights = {term.name: term.weight for term in self._method.terms}
        if model.training:  # an evaluation has the weights of the start, so that it can be compared with the others
            weights |= self._dual.weights
            self._note(values, streams)
            self.tokens += int(inputs["attention_mask"].sum())
        weighted = [(term, weights[term.name] * values[term.name]) for term in self._method.terms]
        if self._mask is not None and model.training:
            loss = self._mask.loss(weighted)
        else:
            loss = torch.stack([value for _, value in weighted]).sum()
        return (loss, {}) if return_outputs else loss

    def _streams(self, model: nn.Module, batch: dict[str, Any]) -> dict[Target, StreamOutput]:
        device, needs, layers = batch["input_ids"].device, self._method.needs, self._method.layers
        with torch.autocast(device.type, self._dtype, enabled=self._dtype is not torch.float32):
            references = reference_outputs(model, batch, self._vision, needs, layers)
            streams = stream_outputs(model, batch, self._vision, needs, layers)
        return {target: replace(stream, reference=references.get(target)) for target, stream in streams.items()}

    def evaluation_loop(self, *args: Any, **options: Any) -> EvalLoopOutput:
        """The loss, and what is watched beside it. No random number is drawn that training would miss."""
        with torch.random.fork_rng():
            output = super().evaluation_loop(*args, **options)
            watched = {} if self._watching is None else self._watching()
        measured = {f"eval_{name}": value for name, value in watched.items()}
        return output._replace(metrics=(output.metrics or {}) | measured)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, beside the loss, what `_note` added up: means over the step's micro-batches and processes."""
        if "loss" in logs:
            sums = torch.tensor([*self._sums.values()], dtype=torch.float64, device=self.args.device)
            means = reduce(sums, reduction="mean") / self.args.gradient_accumulation_steps
            logs |= dict(zip(self._sums, means.tolist(), strict=True))
            self._sums.clear()
        self._check_finite(logs)
        super().log(logs, start_time)

    def _save_checkpoint(self, *args: Any, **options: Any) -> None:
        """Save as the trainer does; a full disk is said in many ways."""
        with explained(f"{self.args.output_dir}: no checkpoint could be written"):
            super()._save_checkpoint(*args, **options)

    def _check_finite(self, logs: dict[str, float]) -> None:
        """All processes see the same figures, so all end at the same step, before it can be kept in a checkpoint."""
        broken = [name for name, value in logs.items() if isinstance(value, float) and not math.isfinite(value)]
        if broken:
            raise UserError(
                f"step {self.state.global_step}: {', '.join(broken)} is not a number (NaN or infinite), training ends "
                "without an adapter; a smaller learning_rate or dtype=float32 may help"
            )

    def _note(self, values: dict[str, Tensor], streams: dict[Target, StreamOutput]) -> None:
        """Add up the micro-batches of a step: each term, the weights that change, and the harmful answers' NLL."""
        numbers = {name: value.item() for name, value in values.items()}
        numbers |= {f"{name}_weight": weight for name, weight in self._dual.weights.items()}
        if Target.FORGET in streams:
            numbers[FORGET_NLL] = plain_nll(streams[Target.FORGET]).mean().item()
        for name, number in numbers.items():
            self._sums[name] = self._sums.get(name, 0.0) + number
        self._dual.note(values)

    @property
    def _dual(self) -> DualAscent:
        return next(each for each in self.callback_handler.callbacks if isinstance(each, DualAscent))

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(rows)


def check_layers(method: Method, model: PreTrainedModel, trained: int | None) -> None:
    """Raises UserError where a loss reads a decoder layer that is not there, or that training cannot move.

    `trained` is how many of the last layers are trained (None: all).
    """
    count = len(model.get_decoder().layers) if method.layers else 0
    lowest = 0 if trained is None else count - trained
    for layer in sorted(method.layers):
        if layer >= count:
            raise UserError(f"{method.name}: option layer is {layer}, the language model has layers 0 to {count - 1}")
        if layer < lowest:
            raise UserError(
                f"{method.name}: option layer is {layer}, which lies below the layers trained, from {lowest} on"
            )
