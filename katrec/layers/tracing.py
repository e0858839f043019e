"""Functions that TensorFlow traces as they are written."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Optional

import tensorflow as tf


def traced(function: Optional[Callable] = None, **options: Any) -> Any:
    """Returns a `tf.function`, or a decorator that makes one, without AutoGraph.

    AutoGraph rewrites the source of each function and layer that is called, for `if` and `for` over tensors. Code here
    has `tf.cond` and `tf.while_loop` instead: it would wait for the rewriting, and gain nothing.

    Args:
      function: what is traced; `if` or `for` over a tensor raises a TypeError in it.
      options: of `tf.function`.
    """
    if function is None:
        return functools.partial(traced, **options)
    # autograph=False says so for this function alone; Keras would still rewrite each layer that it calls.
    return tf.function(tf.autograph.experimental.do_not_convert(function), autograph=False, **options)
