"""Which positions are predicted; which are masked is in tests/data/test_sequences.py."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from katrec.models.objectives import predicted_positions


@given(arrays.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 7))))
def test_predicted_positions_come_first_and_in_their_order(predicted):
    positions, counted = (one.numpy() for one in predicted_positions(predicted))
    assert positions.shape == counted.shape == (len(predicted), predicted.sum(axis=1).max())
    for row in range(len(predicted)):
        wanted = np.flatnonzero(predicted[row])
        np.testing.assert_array_equal(positions[row][counted[row]], wanted)
        np.testing.assert_array_equal(counted[row], np.arange(positions.shape[1]) < len(wanted))
        assert len(set(positions[row])) == positions.shape[1]
