"""Products of sparse and dense matrices by compressed sparse rows.

`tf.sparse.sparse_dense_matmul` takes seven times as long in TensorFlow 2.21 as in 2.15; these take as long in both.

A product with the transpose goes by the transpose's own rows. With TensorFlow's option for it (`transpose_a`), each
thread adds up the rows that it happens to get, and the last digit differs from one call to the next.
"""

from __future__ import annotations

from typing import Optional

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


def transposed(matrix: tf.Tensor) -> tf.Tensor:
    """Returns the transpose of what `compressed` returned, in that form."""
    return tf.raw_ops.SparseMatrixTranspose(input=matrix, type=tf.float32)


def times(matrix: tf.Tensor, dense: tf.Tensor, num_rows: Optional[int] = None) -> tf.Tensor:
    """Returns the product of what `compressed` returned with float32[n, d]: float32[num_rows, d]."""
    product = tf.raw_ops.SparseMatrixMatMul(a=matrix, b=dense)
    return tf.ensure_shape(product, [num_rows, dense.shape[1]])


class FixedMatrix:
    """A sparse matrix that is not trained.

    Args:
      rows, columns: int[m], where its values are, each place once.
      values: float[m].
      shape: rows and columns.
    """

    def __init__(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._matrix = _sorted(rows, columns, values)
        self._transposed = _sorted(columns, rows, values)

    def times(self, dense: tf.Tensor) -> tf.Tensor:
        """Returns the product with float32[columns, d], float32[rows, d]; the gradient reaches that."""

        @tf.custom_gradient
        def product(dense):
            num_rows, num_columns = self.shape

            def gradient(upstream):
                return times(compressed(*self._transposed, num_columns, num_rows), upstream, num_columns)

            return times(compressed(*self._matrix, num_rows, num_columns), dense, num_rows), gradient

        return product(tf.convert_to_tensor(dense))


def _sorted(rows, columns, values):
    order = np.lexsort((columns, rows))
    indices = np.stack([rows, columns], axis=1)[order]
    return tf.constant(indices, tf.int64), tf.constant(np.asarray(values)[order], tf.float32)
