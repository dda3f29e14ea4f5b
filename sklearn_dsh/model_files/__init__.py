"""Files of fitted estimators that run no code when they are read."""

from ._models import load_model, read_model_facts, save_model

__all__ = ["load_model", "read_model_facts", "save_model"]
