"""From a trained model to recommendations: SavedModel export, loading, recommending, explaining."""

__all__ = ["Recommender"]


def __getattr__(name):
    # Commands check their flags before TensorFlow is imported, and import parts of this package for it.
    if name == "Recommender":
        from katrec.serving.recommender import Recommender

        return Recommender
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
