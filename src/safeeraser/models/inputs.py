"""What a family's forward wants to know besides token ids and pictures: what each token is, and what it may look at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def forward_inputs(
    processor: Any,
    ids: Tensor,
    attention: Tensor,
    pictures: dict[str, Any],
    answers: Tensor | None,
    positions: Tensor | None = None,
) -> dict[str, Any]:
    """Keyword inputs of the model's forward for a padded batch.

    `ids`, `attention` and `answers` (where the answers stand; None: nowhere yet) are [batch, time]; `pictures` is what
    the pictures of the batch became, in the order of the rows that have one. Of sequences that hold several
    conversations `attention` is [batch, 1, time, time], and `positions` [batch, time] says where each token stands.
    """
    inputs = {"input_ids": ids, "attention_mask": attention, **pictures}
    if positions is not None:
        inputs["position_ids"] = positions
    if processor.return_mm_token_type_ids:  # Qwen-VL, Gemma 3: positions, or a picture's tokens seeing each other
        types = torch.isin(ids, torch.tensor(processor.image_token_ids, device=ids.device)).long()
        known = "mm_token_type_ids" in processor.model_input_names
        inputs["mm_token_type_ids" if known else "token_type_ids"] = types
    elif "labels" in processor.model_input_names:  # PaliGemma: every token of the prompt sees the whole prompt
        inputs["token_type_ids"] = torch.zeros_like(ids) if answers is None else answers.long()
    if "cross_attention_mask" in processor.model_input_names and pictures:
        inputs |= _cross_attention(ids, attention, pictures, processor.image_token_id)
    return inputs


def _cross_attention(
    ids: Tensor, attention: Tensor, pictures: dict[str, Tensor], image_token: int
) -> dict[str, Tensor]:
    """Llama-3.2-Vision: a picture for every row, an empty one that no token sees where the row has none.

    `cross_attention_mask` [batch, time, 1, tiles] lets tokens from the placeholder on see the tiles that exist.
    """
    placeholders = ids == image_token
    pictured = placeholders.any(dim=1)
    spread = {}
    for name, value in pictures.items():
        spread[name] = value.new_zeros(len(ids), *value.shape[1:])
        spread[name][pictured] = value
    tiles = spread["aspect_ratio_mask"].clone()
    spread["aspect_ratio_mask"][:, :, 0] = 1  # as the family's processor does it: attention to nothing is not a number
    seen = (placeholders.cumsum(dim=1) > 0) & attention.bool()
    return {**spread, "cross_attention_mask": seen[:, :, None, None] * tiles[:, None]}
