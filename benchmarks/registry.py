"""Every measure, in the order of the page."""

from benchmarks import locking
from benchmarks.measure import Measure

MEASURES: dict[str, Measure] = {one.name: one for one in [*locking.MEASURES]}
