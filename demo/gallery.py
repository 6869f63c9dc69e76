"""All runs of the gallery, in the order in which they are worth looking at."""

from __future__ import annotations

from demo import article, edge_of_stability, healthy, illnesses, more
from demo._run import DemoRun

RUNS: tuple[DemoRun, ...] = article.RUNS + illnesses.RUNS + healthy.RUNS + edge_of_stability.RUNS
MORE: tuple[DemoRun, ...] = more.RUNS
