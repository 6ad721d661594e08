"""What prepare.py wrote, as arrays. N items, V visits, C clicks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from attune_spark import files
from attune_spark.counts import TOGETHER_WIDTH

Array = np.ndarray[Any, Any]


class Visits(NamedTuple):
    """Oldest visit first."""

    offsets: Array  # [V + 1] int64
    rows: Array  # [C] int32
    kinds: Array  # [C] uint8
    times: Array  # [C] int64, milliseconds

    def slice(self, start: int, end: int) -> Visits:
        first, last = self.offsets[start], self.offsets[end]
        return Visits(
            self.offsets[start : end + 1] - first,
            self.rows[first:last],
            self.kinds[first:last],
            self.times[first:last],
        )

    def __len__(self) -> int:  # of visits
        return len(self.offsets) - 1


class Examples(NamedTuple):
    """Every click that has one before it in its visit is to be predicted. E examples."""

    target: Array  # [E] place of the click
    start: Array  # [E] place of the oldest step of its history


class Tables(NamedTuple):
    """docs/artifact-format.md, `tables`; K neighbours a row."""

    sr_items: Array  # [N, K] uint32
    sr_scores: Array  # [N, K] uint8
    sr_scales: Array  # [N] float32
    sr_sums: Array  # [N] float32
    popularity: Array  # [N] float32
    trend: Array  # [N] float32


NO_ITEM = 0xFFFF_FFFF


def load_visits(folder: str) -> Visits:
    table = files.read_parquet(files.join(folder, "visits"), ["visit", "rows", "kinds", "times"]).sort_by("visit")
    rows = table.column("rows").combine_chunks()
    offsets = rows.offsets.to_numpy().astype(np.int64)

    def flat(name: str, kind: type) -> Array:
        values = table.column(name).combine_chunks().flatten()
        result: Array = values.to_numpy(zero_copy_only=False).astype(kind)
        return result

    return Visits(offsets - offsets[0], flat("rows", np.int32), flat("kinds", np.uint8), flat("times", np.int64))


def load_meta(folder: str) -> dict[str, int]:
    [meta] = files.read_parquet(files.join(folder, "meta"), None).to_pylist()
    return {name: int(value) for name, value in meta.items()}


def load_ids(folder: str) -> list[str]:
    table = files.read_parquet(files.join(folder, "items"), ["row", "item"]).sort_by("row")
    return [str(item) for item in table.column("item").to_pylist()]


def examples_of(visits: Visits, length: int) -> Examples:
    at = np.arange(len(visits.rows), dtype=np.int64)
    begin = np.repeat(visits.offsets[:-1], np.diff(visits.offsets))
    target = at[at > begin]
    return Examples(target, np.maximum(begin[target], target - length))


def load_tables(folder: str, suffix: str, items: int, kept: int) -> Tables:
    """Decayed counts → the quantised tables of docs/artifact-format.md; `suffix` "_older" for those of the older visits."""
    table = files.read_parquet(files.join(folder, f"neighbours{suffix}"), ["row", "sum", "targets", "weights"])
    sums = np.zeros(items, np.float32)
    sums[table.column("row").to_numpy()] = from_fixed(table.column("sum").to_numpy())
    sr_items, scores, scales = _quantized(table, items, kept)

    table = files.read_parquet(files.join(folder, f"popularity{suffix}"), ["row", "popularity", "trend"])
    popularity, trend = np.zeros(items, np.float32), np.zeros(items, np.float32)
    popularity[table.column("row").to_numpy()] = from_fixed(table.column("popularity").to_numpy())
    trend[table.column("row").to_numpy()] = from_fixed(table.column("trend").to_numpy())
    return Tables(sr_items, scores, scales, sums, popularity, trend)


def load_together(folder: str, items: int) -> dict[str, Array]:
    """Tensors of what was put into baskets together; none where nothing was, or prepare.py did not count it yet."""
    path = files.join(folder, "together")
    if not files.exists(path):
        return {}
    table = files.read_parquet(path, ["row", "targets", "weights"])
    if table.num_rows == 0:
        return {}
    bt_items, scores, scales = _quantized(table, items, TOGETHER_WIDTH)
    return {"bt_items": bt_items, "bt_scores": scores, "bt_scales": scales}


def _quantized(table: Any, items: int, kept: int) -> tuple[Array, Array, Array]:
    """packages/core/src/artifact/quantize.ts: a square-root grid, and what is kept never rounds to zero."""
    row = table.column("row").to_numpy()
    targets, weights = (table.column(name).combine_chunks() for name in ("targets", "weights"))
    lengths = np.diff(targets.offsets.to_numpy())
    source = np.repeat(row, lengths)
    place = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    counts = np.zeros((items, kept))
    found = np.full((items, kept), NO_ITEM, np.uint32)
    found[source, place] = targets.flatten().to_numpy()
    counts[source, place] = from_fixed(weights.flatten().to_numpy())
    scales = counts[:, 0]
    share = np.sqrt(np.divide(counts, scales[:, None], out=np.zeros_like(counts), where=scales[:, None] > 0))
    scores = np.where(found == NO_ITEM, 0, np.maximum(1, np.floor(255 * share + 0.5))).astype(np.uint8)
    return found, scores, scales.astype(np.float32)


def from_fixed(values: Array) -> Array:
    result: Array = values.astype(np.float64) / (1 << 40)
    return result
