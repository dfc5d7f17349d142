"""The entry point `lmms_eval.models`: makes the model `safeeraser` known to lmms-eval, whoever starts it.

lmms-eval --model safeeraser --model_args model=tiny,adapter=runs/demo/models/po+pd/adapter --tasks pope
"""

from __future__ import annotations

from lmms_eval.models.registry_v2 import ModelManifest

NAME = "safeeraser"


def manifest() -> ModelManifest:
    """The model's name and where its class is; lmms-eval imports it when it is asked for."""
    return ModelManifest(model_id=NAME, simple_class_path="safeeraser.specificity.model.SafeEraserModel")
