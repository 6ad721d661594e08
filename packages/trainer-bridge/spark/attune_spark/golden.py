"""Golden vectors: what every engine must reproduce before an edge serves the epoch. As src/train/golden.ts makes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from attune_spark.arguments import JobError
from attune_spark.data import NO_ITEM, Array
from attune_spark.features import SERVED, WIDE, Model, Retriever, encode_queries, score
from attune_spark.history import HISTORY_KINDS

VECTORS = 8
WALKS, LONGEST_WALK = 32, 12
TOP, CLEAR_GAP = 20, 1e-3
RANKER_CANDIDATES = 24
STEP_HOURS = 0.25


def walks(model: Model, seed: int) -> list[Array]:
    """
    Histories as visitors of this model would leave them: along the table of sequential rules. They need no visitor's data,
    so an artifact never carries any.
    """
    random = np.random.default_rng([seed, 7])
    items = len(model.factors)
    found = []
    for _ in range(WALKS):
        row = int(random.integers(items))
        steps: list[int] = []
        length = 1 + int(random.integers(LONGEST_WALK))
        while len(steps) < length:
            steps.append(row)
            targets = model.tables.sr_items[row]
            targets = targets[targets != NO_ITEM][:5]
            row = int(random.choice(targets)) if len(targets) > 0 else int(random.integers(items))
        found.append(np.array(steps, np.int64))
    return found


def make_golden(ids: list[str], model: Model, ranker: dict[str, Array], seed: int) -> dict[str, Any]:
    """@raises JobError EXPORT_GOLDEN_TOO_FEW: fewer than 8 lists with a clear first place"""
    retriever = Retriever(model)
    length = model.weights["enc.position"].shape[0]
    encoder, scored, lists = [], [], []
    for index, steps in enumerate(walks(model, seed)):
        rows = steps[-length:]
        # Every other vector has steps of other kinds, a quarter of an hour apart, so that strengths and decay are tested.
        varied = index % 2 == 1
        kinds = (np.arange(len(rows)) + index) % len(HISTORY_KINDS) if varied else np.zeros(len(rows), np.int64)
        ages = (len(rows) - 1 - np.arange(len(rows))) * STEP_HOURS if varied else np.zeros(len(rows))
        # A list starts with the newest visit: gaps of a quarter of an hour are within one.
        plain = (rows, np.zeros(len(rows), np.int64), np.zeros(len(rows)))
        items = [ids[row] for row in rows]
        encoder.append(
            {
                "items": items,
                "kinds": kinds.tolist(),
                "ages": ages.tolist(),
                "query": encode_queries(model, [(rows, kinds, ages)])[0].tolist(),
            }
        )
        _, [prepared] = retriever.prepare([plain], WIDE)
        few = prepared.first(RANKER_CANDIDATES)
        scored.append(
            {
                "items": items,
                "candidates": [ids[row] for row in few.rows],
                "features": few.features.tolist(),
                "context": few.context.tolist(),
                "scores": score(ranker, few).tolist(),
            }
        )
        _, [whole] = retriever.prepare([(rows, kinds, ages)], SERVED)
        top = clear_top(whole.rows, score(ranker, whole))
        history = [
            {"item": item, "kind": int(kind), "age": float(age)} for item, kind, age in zip(items, kinds, ages, strict=True)
        ]
        lists.append({"history": history, "top": [ids[row] for row in top]})
    # Longest lists first: where there are 8 without near ties, those are the ones kept.
    rank = sorted((one for one in lists if one["top"]), key=lambda one: -len(one["top"]))[:VECTORS]
    if len(rank) < VECTORS:
        raise JobError("EXPORT_GOLDEN_TOO_FEW", f"expected {VECTORS} lists with a clear first place, received {len(rank)}")
    return {"encoder": encoder[:VECTORS], "ranker": scored[:VECTORS], "rank": rank}


def clear_top(rows: Array, scores: Array) -> Array:
    """The best rows up to the first that rounding could turn round with the next."""
    order = np.lexsort((np.arange(len(scores)), -scores))[: TOP + 1]
    gaps = -np.diff(scores[order])
    near = np.nonzero(gaps < CLEAR_GAP)[0]
    length = min(TOP, int(near[0]) if len(near) > 0 else len(order))
    result: Array = rows[order[:length]]
    return result
