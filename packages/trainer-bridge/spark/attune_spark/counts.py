"""Visits → counts of items and pairs, as whole numbers, so that sums have no order. Numpy only: runs inside Spark's workers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_PAIR_DISTANCE = 10
# packages/trainer-bridge/src/windows.ts: 1/distance as a whole number
UNITS_PER_PAIR = 2_520
# packages/trainer-bridge/src/train/tables.ts
TREND_SHARE = 0.1
# packages/trainer-bridge/src/baskets.ts; places in HISTORY_KINDS of add-to-cart and purchase
BASKET_KINDS = (2, 3)
MAX_BASKET = 50
# packages/trainer-bridge/src/train/together.ts
TOGETHER_WIDTH = 32
# Decayed weights lie between 1/e and 1: 40 bits behind the point leave 22 bits for how often a pair was seen.
FIXED_POINT = 1 << 40

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class PairCounts(NamedTuple):
    source: Ints
    target: Ints
    units: Ints
    weight: Ints


class BasketCounts(NamedTuple):
    source: Ints
    target: Ints
    weight: Ints


def visit_weight(visit: Ints, visits: int) -> Floats:
    """How much a visit counts: e^(−(1 − rank/V))."""
    return np.exp(-(1 - (visit + 1) / visits))


def newest_visits(visits: int) -> int:
    """Index of the first of the visits that make the trend."""
    return visits - max(1, int(np.floor(visits * TREND_SHARE + 0.5)))


def to_fixed(values: Floats) -> Ints:
    return np.floor(values * FIXED_POINT + 0.5).astype(np.int64)


def count_pairs(rows: Ints, lengths: Ints, weights: Floats) -> PairCounts:
    """
    Ordered pairs of one visit up to 10 apart, repeats and self transitions kept, summed up.

    @param rows: items of visits, one visit after the other
    @param lengths: of the visits; `weights` as long
    """
    visit = np.repeat(np.arange(len(lengths)), lengths)
    weight = np.repeat(weights, lengths)
    keys, units, sums = [], [], []
    for distance in range(1, min(MAX_PAIR_DISTANCE, len(rows) - 1) + 1):
        same = visit[distance:] == visit[:-distance]
        if not same.any():
            break
        keys.append((rows[:-distance][same] << 32) | rows[distance:][same])
        units.append(np.full(len(keys[-1]), UNITS_PER_PAIR // distance, np.int64))
        sums.append(to_fixed(weight[distance:][same] / distance))
    if not keys:
        none = np.zeros(0, np.int64)
        return PairCounts(none, none, none, none)
    key, place = np.unique(np.concatenate(keys), return_inverse=True)
    total_units = np.zeros(len(key), np.int64)
    total_weight = np.zeros(len(key), np.int64)
    np.add.at(total_units, place, np.concatenate(units))
    np.add.at(total_weight, place, np.concatenate(sums))
    return PairCounts(key >> 32, key & 0xFFFF_FFFF, total_units, total_weight)


def count_baskets(rows: Ints, kinds: Ints, lengths: Ints, weights: Floats) -> BasketCounts:
    """
    Two different items that were put into the basket or bought in one visit, both ways, each item of a basket once; of a
    basket the first 50 items.
    """
    held = np.isin(kinds, BASKET_KINDS)
    visit = np.repeat(np.arange(len(lengths)), lengths)[held]
    ends = np.cumsum(np.bincount(visit, minlength=len(lengths)))
    fixed = to_fixed(weights)
    kept = rows[held].tolist()
    sums: dict[tuple[int, int], int] = {}
    for number in np.unique(visit).tolist():
        # A dict keeps the order in which items came into the basket.
        basket = list(dict.fromkeys(kept[ends[number - 1] if number > 0 else 0 : ends[number]]))[:MAX_BASKET]
        weight = int(fixed[number])
        for item in basket:
            for partner in basket:
                if item != partner:
                    sums[item, partner] = sums.get((item, partner), 0) + weight
    pairs = np.array(list(sums), np.int64).reshape(-1, 2)
    return BasketCounts(pairs[:, 0], pairs[:, 1], np.array(list(sums.values()), np.int64))


def count_items(rows: Ints, lengths: Ints, weights: Floats, newest: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints, Ints]:
    """@returns items, how often each occurs, its decayed popularity and the part of it that is trend"""
    weight = np.repeat(to_fixed(weights), lengths)
    recent = np.where(np.repeat(newest, lengths), weight, 0)
    row, place, count = np.unique(rows, return_inverse=True, return_counts=True)
    popularity = np.zeros(len(row), np.int64)
    trend = np.zeros(len(row), np.int64)
    np.add.at(popularity, place, weight)
    np.add.at(trend, place, recent)
    return row, count.astype(np.int64), popularity, trend
