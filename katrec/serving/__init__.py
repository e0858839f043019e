"""From a trained model to recommendations: SavedModel export, loading, recommending, explaining."""

from __future__ import annotations

from typing import Any

__all__ = ["Recommender"]

# The folder of a SavedModel where TensorFlow Serving expects what is not the model's.
EXTRA = "assets.extra"


def __getattr__(name: str) -> Any:
    # Commands check their flags before TensorFlow is imported, and import parts of this package for it.
    if name == "Recommender":
        from katrec.serving.recommender import Recommender

        return Recommender
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
