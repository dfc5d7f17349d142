"""The training step: one padded batch -> streams -> the method's terms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from accelerate.utils import reduce
from peft import PeftModel
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import Sampler, SequentialSampler
from transformers import PreTrainedModel, Trainer
from transformers.trainer_utils import EvalLoopOutput

from safeeraser.errors import DiskError, UserError, explained
from safeeraser.models.vision import VisionFeatures
from safeeraser.objectives import Method, Need, StreamOutput, Target, Term
from safeeraser.objectives.nll import plain_nll
from safeeraser.unlearning.callbacks import FORGET_NLL
from safeeraser.unlearning.dual import DualAscent
from safeeraser.unlearning.gradient_mask import GradientMask
from safeeraser.unlearning.sharpness import Sharpness
from safeeraser.unlearning.streams import only, reference_outputs, stream_outputs
from safeeraser.unlearning.surrogate import with_gradients
from safeeraser.unlearning.watch import Watching

Batch = dict[str, Any]
Streams = dict[Target, StreamOutput]
Values = dict[str, Tensor]
Weights = Mapping[str, float]
"""By the name of the term, the factor of its value in the loss."""


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
        if method.rho is not None:  # every parameter is given a gradient, be it zero
            options["args"].ddp_find_unused_parameters = False
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
        self._sharpness = None
        if method.rho is not None:
            trained = [parameter for parameter in options["model"].parameters() if parameter.requires_grad]
            self._sharpness = Sharpness(method.rho, trained)
        self.add_callback(DualAscent.of(method))

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,  # noqa: ARG002  counts tokens; the mean is over rows
    ) -> Any:
        """The method's weighted sum over its terms, each a mean over rows."""
        references = self._references(model, inputs)
        weights = {term.name: term.weight for term in self._method.terms}
        if not model.training:  # with the weights of the start, so that it can be compared with the others
            loss = self._loss(self._values(model, inputs, references, self._method.terms), weights)
        else:
            weights |= self._dual.weights
            take = self._whole if self._sharpness is None else self._sharp
            loss, values = take(model, inputs, references, weights)
            self._note(values)
            self.tokens += int(inputs["attention_mask"].sum())
        return (loss, {}) if return_outputs else loss

    def _whole(self, model: nn.Module, batch: Batch, references: Streams, weights: Weights) -> tuple[Tensor, Values]:
        """The loss, and each term's value, from one forward of all rows."""
        values = self._values(model, batch, references, self._method.terms)
        if self._mask is None:
            return self._loss(values, weights), values
        return self._mask.loss([(term, weights[term.name] * values[term.name]) for term in self._method.terms]), values

    def _sharp(self, model: nn.Module, batch: Batch, references: Streams, weights: Weights) -> tuple[Tensor, Values]:
        """The same with the gradient of the terms on harmful questions taken a step uphill, from their rows alone.

        The values are those where the weights are.
        """
        assert self._sharpness is not None
        values: Values = {}

        def part(harmful: bool) -> Tensor:
            terms = [term for term in self._method.terms if term.harmful is harmful]
            found = self._values(model, batch, references, terms) if terms else {}
            values.update({name: value.detach() for name, value in found.items() if name not in values})
            return self._loss(found, weights)

        harmful, gradients = self._sharpness(lambda: part(True))
        gradients = gradients if self._mask is None else self._mask.masked(gradients)
        return part(False) + with_gradients(harmful, gradients), values

    def _loss(self, values: Values, weights: Weights) -> Tensor:
        """The weighted sum of what there is of the terms."""
        weighted = [weights[term.name] * values[term.name] for term in self._method.terms if term.name in values]
        return torch.stack(weighted).sum() if weighted else torch.zeros((), device=self.args.device)

    def _values(self, model: nn.Module, batch: Batch, references: Streams, terms: Sequence[Term]) -> Values:
        """The mean over rows of each of these terms, from their rows; and of the harmful answers' NLL."""
        targets = {target for term in terms for target in term.targets}
        rows = batch if targets == {*batch["targets"]} else only(batch, targets)
        with self._autocast(batch):
            streams = stream_outputs(model, rows, self._vision, self._method.needs, self._method.layers)
        streams = {target: replace(stream, reference=references.get(target)) for target, stream in streams.items()}
        values = {term.name: term(streams) for term in terms}
        if Target.FORGET in streams:
            values.setdefault(FORGET_NLL, plain_nll(streams[Target.FORGET]).mean().detach())
        return values

    def _references(self, model: nn.Module, batch: Batch) -> Streams:
        with self._autocast(batch):
            return reference_outputs(model, batch, self._vision, self._method.needs, self._method.layers)

    def _autocast(self, batch: Batch) -> torch.autocast:
        return torch.autocast(batch["input_ids"].device.type, self._dtype, enabled=self._dtype is not torch.float32)

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
        with explained(f"{self.args.output_dir}: no checkpoint could be written", DiskError):
            super()._save_checkpoint(*args, **options)

    def _check_finite(self, logs: dict[str, float]) -> None:
        """All processes see the same figures, so all end at the same step, before it can be kept in a checkpoint."""
        broken = [name for name, value in logs.items() if isinstance(value, float) and not math.isfinite(value)]
        if broken:
            raise UserError(
                f"step {self.state.global_step}: {', '.join(broken)} is not a number (NaN or infinite), training ends "
                "without an adapter; a smaller learning_rate or dtype=float32 may help"
            )

    def _note(self, values: Values) -> None:
        """Add up the micro-batches of a step: each term, the harmful answers' NLL, and the weights that change."""
        numbers = {name: value.item() for name, value in values.items()}
        numbers |= {f"{name}_weight": weight for name, weight in self._dual.weights.items()}
        for name, number in numbers.items():
            self._sums[name] = self._sums.get(name, 0.0) + number
        self._dual.note(values)

    @property
    def _dual(self) -> DualAscent:
        return next(each for each in self.callback_handler.callbacks if isinstance(each, DualAscent))

    def create_scheduler(self, num_training_steps: int, optimizer: Optimizer | None = None) -> LRScheduler:
        """As the trainer does, whose warm-up begins at a rate of 0 and is one step at least: a lone step has none."""
        if num_training_steps == 1:
            self.args.warmup_steps = 0
        return super().create_scheduler(num_training_steps, optimizer)

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
