"""Products of sparse and dense matrices by compressed sparse rows.

`tf.sparse.sparse_dense_matmul` takes seven times as long in TensorFlow 2.21 as in 2.15; these take as long in both.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def compressed(indices: tf.Tensor, values: tf.Tensor, num_rows: int, num_columns: int) -> tf.Tensor:
    """Returns a matrix of compressed sparse rows, a variant scalar.

    Args:
      indices: int64[m, 2], rows and columns, sorted.
      values: float32[m]; no gradient reaches them.
      num_rows, num_columns: its shape.
    """
    shape = tf.constant([num_rows, num_columns], tf.int64)
    return tf.raw_ops.SparseTensorToCSRSparseMatrix(indices=indices, values=values, dense_shape=shape)


def times(matrix: tf.Tensor, dense: tf.Tensor, num_rows: int, transpose: bool = False) -> tf.Tensor:
    """Returns the product of what `compressed` returned, or its transpose, with float32[n, d]: float32[num_rows, d]."""
    product = tf.raw_ops.SparseMatrixMatMul(a=matrix, b=dense, transpose_a=transpose)
    return tf.ensure_shape(product, [num_rows, dense.shape[1]])


class FixedMatrix:
    """A sparse matrix that is not trained.

    Args:
      rows, columns: int[m], where its values are, each place once.
      values: float[m].
      shape: rows and columns.
    """

    def __init__(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> None:
        order = np.lexsort((columns, rows))
        self.shape = shape
        self._indices = tf.constant(np.stack([rows, columns], axis=1)[order], tf.int64)
        self._values = tf.constant(np.asarray(values)[order], tf.float32)

    def times(self, dense: tf.Tensor) -> tf.Tensor:
        """Returns the product with float32[columns, d], float32[rows, d]; the gradient reaches that."""

        @tf.custom_gradient
        def product(dense):
            matrix = compressed(self._indices, self._values, *self.shape)

            def gradient(upstream):
                return times(matrix, upstream, self.shape[1], transpose=True)

            return times(matrix, dense, self.shape[0]), gradient

        return product(tf.convert_to_tensor(dense))
