"""KATRec: Knowledge Aware aTtentive sequential Recommendations (arXiv 2012.03323) in TensorFlow 2."""

import os
import sys

if sys.version_info >= (3, 12):
    # TensorFlow's releases for these Pythons bring Keras 3; tf.keras is Keras 2 where this is set before the import.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"
