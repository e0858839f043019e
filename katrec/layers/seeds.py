"""How a seed is split into seeds for the parts of a computation."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf


def fold(seed: Optional[tf.Tensor], number: Any) -> Optional[tf.Tensor]:
    """Returns a seed of its own for part `number` of a computation.

    Args:
      seed: int32[2], or None at inference.
      number: an integer or an integer scalar tensor.

    Returns:
      int32[2]; None where `seed` is None.
    """
    return None if seed is None else tf.random.experimental.stateless_fold_in(seed, number)
