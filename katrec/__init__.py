"""KATRec: Knowledge Aware aTtentive sequential Recommendations (arXiv 2012.03323) in TensorFlow 2.

katrec.prepare_frames("mine", interactions, triplets)
run = katrec.fit("mine", katrec.Settings(model="katrec"))
model = run.export("models/mine")
model.recommend([["item", "item"]])
"""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING, Any

from katrec.common import quiet

if sys.version_info >= (3, 12):
    # TensorFlow's releases for these Pythons bring Keras 3; tf.keras is Keras 2 where this is set before the import.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
if platform.machine().lower() in ("x86_64", "amd64") and "tensorflow" not in sys.modules:
    # By itself TensorFlow multiplies with oneDNN only where the processor has AVX512-VNNI or the like. It is quicker on
    # others, too (docs/performance.md). Once it is loaded it does not ask again.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
quiet.when_tensorflow_is_imported()
# Keras 2 within TensorFlow 2.15 names no version.
if "tensorflow" in sys.modules and getattr(sys.modules["tensorflow"].keras, "__version__", "2").startswith("3"):
    raise ImportError(
        "TensorFlow was imported before katrec and brought Keras 3, katrec is written for Keras 2: import katrec "
        "first, or set the environment variable TF_USE_LEGACY_KERAS=1 before Python starts"
    )

__version__ = "0.2.0.dev0"
__all__ = ["Recommender", "Run", "Settings", "add_items", "fit", "prepare_frames"]

if TYPE_CHECKING:
    from katrec.runs import Run, fit
    from katrec.serving.additions import add_items
    from katrec.serving.recommender import Recommender
    from katrec.settings import Settings
    from preprocess.frames import prepare_frames

# Where the names come from; TensorFlow is imported with the first that needs it.
_SOURCES = {
    "Recommender": "katrec.serving.recommender",
    "Run": "katrec.runs",
    "Settings": "katrec.settings",
    "add_items": "katrec.serving.additions",
    "fit": "katrec.runs",
    "prepare_frames": "preprocess.frames",
}


def __getattr__(name: str) -> Any:
    if name not in _SOURCES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_SOURCES[name]), name)
