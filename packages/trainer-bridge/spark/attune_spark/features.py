"""
Candidates and the ranker's features of them: the twin of packages/core/src/rank/retrieve.ts and features.ts, which define
them. Edges replay the artifact's golden lists, so a difference is refused before it is served.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from attune_spark.data import NO_ITEM, Array, Tables

# packages/core/src/rank/features.ts, in order
FEATURE_NAMES = (
    "sr_last",
    "sr_last_count",
    "sr_decayed",
    "log_popularity",
    "log_trend",
    "is_last",
    "in_visit",
    "inverse_age",
    "log_repeats",
    "cos_last",
    "cos_best",
    "support",
)
CONTEXT_NAMES = ("log_visit_length", "last_log_popularity", "last_is_repeat")
FEATURES, CONTEXT = len(FEATURE_NAMES), len(CONTEXT_NAMES)
# cosine to the query and its gap to the best come first
INPUTS = 2 + FEATURES
RANKER_INPUT = INPUTS + CONTEXT
NEIGHBOUR_STEPS = 5
MAX_RETRIEVED = 600
POPULAR_KEPT = 500

_DECAYS = np.exp(-np.arange(NEIGHBOUR_STEPS) / 2)


class Plan(NamedTuple):
    """How wide retrieval looks; packages/core/src/rank/retrieve.ts."""

    # Neighbours taken of each of the last steps, newest first.
    neighbours: tuple[int, ...]
    # The catalogue is scanned when there are fewer neighbours than this.
    enough: int
    scanned: int
    popular: int


# What the ranker is trained on, and what serving looks at for lists of up to 40.
WIDE = Plan((MAX_RETRIEVED,) * NEIGHBOUR_STEPS, 1 << 30, 200, 50)
SERVED = Plan((100, 60, 40, 30, 20), 100, 50, 20)


class Model(NamedTuple):
    """What candidates and features are computed from. N items."""

    factors: Array  # [N, d] float32
    tables: Tables
    weights: dict[str, Array]  # of the encoder, named as in docs/artifact-format.md


class Prepared(NamedTuple):
    """Of one history; n candidates."""

    rows: Array  # [n]
    cosines: Array  # [n]
    features: Array  # [n, f]
    context: Array  # [c]

    def first(self, count: int) -> Prepared:
        return Prepared(self.rows[:count], self.cosines[:count], self.features[:count], self.context)

    def inputs(self) -> Array:
        """[n, 2 + f], as the ranker sees them before the context"""
        cosines = self.cosines[:, None]
        result: Array = np.concatenate([cosines, cosines - cosines.max(), self.features], 1).astype(np.float32)
        return result


def popular_rows(tables: Tables) -> Array:
    """Best first; a thousandth of the trend breaks ties, then the row."""
    score = (tables.popularity.astype(np.float64) + 1e-3 * tables.trend.astype(np.float64)).astype(np.float32)
    result: Array = np.lexsort((np.arange(len(score)), -score))[:POPULAR_KEPT]
    return result


def encode_queries(model: Model, histories: list[tuple[Array, Array, Array]]) -> Array:
    """@param histories: rows, kinds and ages in hours, oldest first. @returns [B, d] of unit length"""
    w = model.weights
    length = w["enc.position"].shape[0]
    steps = np.zeros((len(histories), length, model.factors.shape[1]), np.float32)
    kinds = np.zeros((len(histories), length), np.int64)
    ages = np.zeros((len(histories), length), np.float32)
    mask = np.zeros((len(histories), length), np.float32)
    for number, (rows, kind, age) in enumerate(histories):
        count = min(length, len(rows))
        steps[number, length - count :] = model.factors[rows[-count:]]
        kinds[number, length - count :] = kind[-count:]
        ages[number, length - count :] = age[-count:]
        mask[number, length - count :] = 1
    last = steps[:, -1]
    x = steps + w["enc.position"]
    u = x @ w["enc.w1"].T + (last @ w["enc.w2"].T + w["enc.bias"])[:, None]
    attention = (1 / (1 + np.exp(-u))) @ w["enc.v"]
    weight = mask * w["enc.strength"][kinds] * np.exp(-w["enc.decay"][0] * ages) * attention
    pooled = (weight[:, :, None] * x).sum(1)
    h = np.concatenate([pooled, last], 1) @ w["enc.w3"].T
    queries: Array = (h / np.maximum(np.linalg.norm(h, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return queries


class Retriever:
    """Candidates and features of histories out of one model."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.popular = popular_rows(model.tables)
        self._place = np.full(len(model.factors), -1, np.int64)

    def prepare(self, histories: list[tuple[Array, Array, Array]], plan: Plan) -> tuple[Array, list[Prepared]]:
        """@returns queries [B, d] and what goes with them; a history is one visit, at least one step"""
        queries = encode_queries(self.model, histories)
        scores = queries @ self.model.factors.T
        kept = min(plan.scanned, scores.shape[1])
        nearest = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
        prepared = []
        for number, (rows, _, _) in enumerate(histories):
            chosen = self._candidates(rows, nearest[number], plan)
            prepared.append(self._describe(rows, chosen, scores[number, chosen]))
        return queries, prepared

    def _candidates(self, steps: Array, nearest: Array, plan: Plan) -> Array:
        tables = self.model.tables
        own = _distinct(steps[::-1].astype(np.int64))
        recent = steps[: -NEIGHBOUR_STEPS - 1 : -1]
        rows = [tables.sr_items[step][:kept] for step, kept in zip(recent, plan.neighbours, strict=False)]
        found = _distinct(np.concatenate([own, *(row[row != NO_ITEM] for row in rows)]).astype(np.int64))[:MAX_RETRIEVED]
        if len(found) - len(own) < plan.enough:
            found = _distinct(np.concatenate([found, nearest]))[:MAX_RETRIEVED]
        return _distinct(np.concatenate([found, self.popular[: plan.popular]]))[:MAX_RETRIEVED]

    def _describe(self, steps: Array, rows: Array, cosines: Array) -> Prepared:
        tables, factors, place = self.model.tables, self.model.factors, self._place
        place[rows] = np.arange(len(rows))
        columns = {name: np.zeros(len(rows)) for name in FEATURE_NAMES}
        last = int(steps[-1])
        recent = steps[: -NEIGHBOUR_STEPS - 1 : -1]
        for back, source in enumerate(recent):
            present = tables.sr_items[source] != NO_ITEM
            at = place[tables.sr_items[source][present]]
            count = float(tables.sr_scales[source]) / 65_025 * tables.sr_scores[source][present].astype(np.float64) ** 2
            probability = count / float(tables.sr_sums[source]) if tables.sr_sums[source] > 0 else np.zeros_like(count)
            known = at >= 0
            at, count, probability = at[known], count[known], probability[known]
            if back == 0:
                columns["sr_last"][at] = _spread(probability)
                columns["sr_last_count"][at] = np.log1p(count)
            columns["sr_decayed"][at] += _DECAYS[back] * probability
            columns["support"][at] += 1
        columns["sr_decayed"] = _spread(columns["sr_decayed"])
        columns["log_popularity"] = np.log1p(tables.popularity[rows].astype(np.float64))
        columns["log_trend"] = np.log1p(tables.trend[rows].astype(np.float64)) - columns["log_popularity"]
        similar = factors[rows] @ factors[recent].T
        columns["cos_last"] = similar[:, 0]
        columns["cos_best"] = similar.max(1)
        columns["is_last"][rows == last] = 1
        for step, row in enumerate(steps):
            at_row = place[row]
            if at_row >= 0:
                columns["in_visit"][at_row] = 1
                columns["inverse_age"][at_row] = 1 / (len(steps) - step)
                columns["log_repeats"][at_row] += 1
        columns["log_repeats"] = np.log1p(columns["log_repeats"])
        place[rows] = -1
        context = np.array(
            [
                np.log1p(len(steps)),
                np.log1p(float(tables.popularity[last])),
                1.0 if bool((steps[:-1] == last).any()) else 0.0,
            ],
            np.float32,
        )
        features = np.stack([columns[name] for name in FEATURE_NAMES], 1).astype(np.float32)
        return Prepared(rows, cosines.astype(np.float32), features, context)


def _distinct(rows: Array) -> Array:
    """Each row once, where it comes first."""
    _, first = np.unique(rows, return_index=True)
    result: Array = rows[np.sort(first)]
    return result


def _spread(probability: Array) -> Array:
    result: Array = np.log1p(probability * 1_000)
    return result


def score(weights: dict[str, Array], prepared: Prepared) -> Array:
    """docs/artifact-format.md, "Ranker"; [n]"""
    inputs = prepared.inputs().astype(np.float64)
    raw = np.concatenate([inputs, np.tile(prepared.context, (len(inputs), 1))], 1)
    z = (raw - weights["rank.mean"]) * weights["rank.inverse_std"]
    hidden = np.maximum(z @ weights["rank.hidden"].T + weights["rank.hidden_bias"], 0)
    result: Array = z @ weights["rank.linear"] + hidden @ weights["rank.out"]
    return result


def rank_of(scores: Array, place: int) -> int:
    """From 0, ties to the smaller place as edges break them; -1 when it is no candidate."""
    if place < 0:
        return -1
    before = (scores > scores[place]) | ((scores == scores[place]) & (np.arange(len(scores)) < place))
    return int(before.sum())


__all__ = ["SERVED", "WIDE", "Any", "Model", "Plan", "Prepared", "Retriever", "rank_of", "score"]
