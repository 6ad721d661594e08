"""Writes an epoch of random numbers for 3,000 items, so many that not every item is a candidate: `random_artifact.py FOLDER`."""

import sys

import numpy as np

from attune_spark.data import NO_ITEM, Tables
from attune_spark.encoder import DIM, SHAPES, TEMPERATURE
from attune_spark.features import RANKER_INPUT, Model
from export import write_epoch

ITEMS, KEPT, UNITS = 3_000, 100, 32
random = np.random.default_rng(1)


def normal(*shape: int, scale: float) -> np.ndarray:
    return (scale * random.normal(size=shape)).astype(np.float32)


factors = normal(ITEMS, DIM, scale=1)
factors /= np.linalg.norm(factors, axis=1, keepdims=True)
sr_items = np.full((ITEMS, KEPT), NO_ITEM, np.uint32)
sr_scores = np.zeros((ITEMS, KEPT), np.uint8)
for row in range(ITEMS):
    # From none to all: lists come from neighbours, from the scan, and from both.
    count = int(random.integers(KEPT + 1))
    sr_items[row, :count] = random.choice(ITEMS, count, replace=False)
    sr_scores[row, :count] = -np.sort(-random.integers(1, 256, count))
tables = Tables(
    sr_items,
    sr_scores,
    random.uniform(1, 9, ITEMS).astype(np.float32),
    random.uniform(20, 90, ITEMS).astype(np.float32),
    random.uniform(0, 500, ITEMS).astype(np.float32),
    random.uniform(0, 50, ITEMS).astype(np.float32),
)
scales = {"position": 0.1, "w1": 0.15, "w2": 0.15, "bias": 0.1, "v": 0.2, "w3": 0.1, "strength": 0.3, "decay": 0}
weights = {f"enc.{name}": normal(*shape, scale=scales[name]) for name, shape in SHAPES.items()}
weights["enc.decay"] += 0.01
ranker = {
    "rank.mean": normal(RANKER_INPUT, scale=0.2),
    "rank.inverse_std": random.uniform(0.5, 1.5, RANKER_INPUT).astype(np.float32),
    "rank.linear": normal(RANKER_INPUT, scale=0.5),
    "rank.hidden": normal(UNITS, RANKER_INPUT, scale=0.3),
    "rank.hidden_bias": normal(UNITS, scale=0.1),
    "rank.out": normal(UNITS, scale=0.3),
}
trained = {"neighbours": KEPT, "history_length": 16, "temperature": TEMPERATURE, "metrics": None, "through": 0}
write_epoch(sys.argv[1], [f"item-{row}" for row in range(ITEMS)], Model(factors, tables, weights), ranker, trained, seed=1)
