"""The fit of bent sheets to a face's depth, against a second definition that solves each sheet by itself."""

import numpy as np
import pytest

from vultus.stages import relief

GRID = relief.GRID


def surface(seed: int) -> np.ndarray:
    """Return uint16 depth of a tilted, bent, noisy sheet with a nose on it and holes in it."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:GRID, 0:GRID] - GRID / 2.0
    z = 600 + random.uniform(-1, 1) * x + random.uniform(-1, 1) * y + random.uniform(0, 0.1) * x**2
    z = z - random.uniform(0, 40) * np.exp(-(x**2 + y**2) / random.uniform(10, 90)) + random.normal(0, 1.5, z.shape)
    z[random.random(z.shape) < 0.1] = 0
    return z.astype(np.uint16)


def left_by_best_sheet(grid: np.ndarray) -> float:
    """Return the residual of the best of twelve sheets by QR, column by column as the docstring of the stage describes them."""
    yy, xx = np.mgrid[0:GRID, 0:GRID]
    inside = (((xx - GRID / 2) / (0.37 * GRID)) ** 2 + ((yy - 0.6 * GRID) / (0.44 * GRID)) ** 2 <= 1) & (grid > 0)
    distance = np.median(grid[inside])
    inside &= np.abs(grid - distance) <= 150
    u, v = (xx[inside] - GRID / 2) / (GRID / 2), (yy[inside] - 0.6 * GRID) / (GRID / 2)
    value = distance - distance**2 / grid[inside].astype(float)
    keep = np.ones(value.size, bool)
    plane = np.stack([np.ones_like(u), u, v], 1)
    for _ in range(2):
        off = np.abs(value - plane @ np.linalg.lstsq(plane[keep], value[keep])[0])
        keep = off <= max(4 * np.median(off), 3.0)
    left = []
    for angle in np.radians(np.arange(0, 180, 15)):
        across, along = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
        sheet = np.stack([np.ones_like(u), along, across, across**2, across**3, across**4], 1)[keep]
        left.append(np.sqrt(np.mean((value[keep] - sheet @ np.linalg.lstsq(sheet, value[keep])[0]) ** 2)))
    return float(min(left))


@pytest.mark.parametrize("seed", range(12))
def test_the_best_sheet_is_that_of_twelve_separate_fits(seed: int) -> None:
    """All sheets solved from one set of normal equations leave what a separate least-squares fit of each leaves."""
    grid = surface(seed)
    found = relief.measure(grid)
    assert found is not None
    assert found.sheet_mm == pytest.approx(left_by_best_sheet(grid), abs=1e-6)
