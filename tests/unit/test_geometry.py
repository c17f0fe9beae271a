"""Numbers of one face."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vultus.geometry import median_of


@given(hnp.arrays(st.sampled_from([np.uint16, np.float64]), hnp.array_shapes(max_dims=2), elements={"min_value": 0, "max_value": 60000}))
def test_the_median_is_numpys(values) -> None:
    """It is what numpy says, for odd and even counts and any shape."""
    assert median_of(values) == float(np.median(values))
