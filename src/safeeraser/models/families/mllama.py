"""Llama-3.2-Vision (mllama): a row without a picture, in a batch with pictures, is answered as if it were alone."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from torch import nn
from transformers import PreTrainedModel

_prepared: WeakSet[nn.Module] = WeakSet()


def prepare(model: PreTrainedModel) -> None:
    """Make rows without a picture see nothing, where transformers lets them see every tile of an empty one alike.

    Alone, such a row skips the cross-attention layers. Beside pictures it goes through them with nothing allowed, and
    attention to nothing is an even mean over everything; of zeros, that is nothing. Other families are left alone.
    """
    decoder = model.get_decoder()
    if model.config.model_type == "mllama" and decoder not in _prepared:
        decoder.register_forward_pre_hook(_hide, with_kwargs=True)
        _prepared.add(decoder)


def _hide(_decoder: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """`cross_attention_states` is [batch x tiles, patches, width], `full_text_row_masked_out_mask` [batch, 1, time, 1]:
    1 where a token may look at a picture.
    """
    states, looking = kwargs.get("cross_attention_states"), kwargs.get("full_text_row_masked_out_mask")
    if states is None or looking is None:
        return args, kwargs
    pictured = looking.amax(dim=(1, 2, 3)).repeat_interleave(len(states) // len(looking))
    return args, {**kwargs, "cross_attention_states": states * pictured[:, None, None]}
