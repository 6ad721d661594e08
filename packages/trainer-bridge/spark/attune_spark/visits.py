"""Stored batches → visits → rows of items and tables of counts, in Spark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from attune_spark.counts import count_baskets, count_items, count_pairs, newest_visits, visit_weight
from attune_spark.history import Event, VisitorReplay

VISIT_SCHEMA = "visitor string, ended long, items array<string>, kinds array<int>, times array<long>"
_VISIT_ARROW = pa.schema(
    [
        ("visitor", pa.string()),
        ("ended", pa.int64()),
        ("items", pa.list_(pa.string())),
        ("kinds", pa.list_(pa.int32())),
        ("times", pa.list_(pa.int64())),
    ]
)


def visits_of(batches: DataFrame) -> DataFrame:
    """Every visitor's batches in the order they were received → visits, {@link VISIT_SCHEMA}. Cost: one shuffle."""
    ordered = batches.repartition("visitor").sortWithinPartitions("visitor", "received", "id")
    flat = ordered.select(
        "visitor",
        "id",
        "received",
        F.col("events.id").alias("event"),
        F.col("events.kind").alias("kind"),
        F.col("events.item").alias("item"),
        F.col("events.at").alias("at"),
    )
    return flat.mapInArrow(replay, VISIT_SCHEMA)


def replay(chunks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """A partition sorted by visitor and time; a visitor may go over several chunks."""
    visitor: str | None = None
    state = VisitorReplay()
    for chunk in chunks:
        out: list[tuple[str, Any]] = []
        columns = [chunk.column(name).to_pylist() for name in ("visitor", "id", "received", "event", "kind", "item", "at")]
        for name, batch_id, received, *parts in zip(*columns, strict=True):
            if name != visitor:
                out += [(visitor or "", visit) for visit in state.end()]
                visitor, state = name, VisitorReplay()
            events = map(Event._make, zip(*parts, strict=True))
            out += [(name, visit) for visit in state.apply(batch_id, received, events)]
        if out:
            yield _to_arrow(out)
    rest = [(visitor or "", visit) for visit in state.end()]
    if rest:
        yield _to_arrow(rest)


def _to_arrow(visits: list[tuple[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [
            pa.array([visitor for visitor, _ in visits], pa.string()),
            pa.array([visit.times[-1] for _, visit in visits], pa.int64()),
            pa.array([visit.items for _, visit in visits], pa.list_(pa.string())),
            pa.array([visit.kinds for _, visit in visits], pa.list_(pa.int32())),
            pa.array([visit.times for _, visit in visits], pa.list_(pa.int64())),
        ],
        schema=_VISIT_ARROW,
    )


def numbered(spark: SparkSession, frame: DataFrame, order: list[str], name: str, folder: str) -> DataFrame:
    """
    The rows of a frame numbered from 0 in a total order, without a single partition ever holding all of them: sorted in
    ranges, written, and each range's numbers moved behind those of the ranges before it.
    """
    placed = frame.repartitionByRange(*order).sortWithinPartitions(*order).withColumn("_place", F.monotonically_increasing_id())
    placed.write.mode("overwrite").parquet(folder)
    written = spark.read.parquet(folder)
    # monotonically_increasing_id is the partition's number, 31 bits, before the row's, 33 bits.
    part = F.shiftright("_place", 33)
    sizes = sorted((row["part"], row["count"]) for row in written.groupBy(part.alias("part")).count().collect())
    offsets, before = [], 0
    for number, count in sizes:
        offsets.append((int(number), before))
        before += count
    ranges = spark.createDataFrame(offsets, "_part long, _before long")
    within = F.col("_place").bitwiseAND(F.lit((1 << 33) - 1))
    return (
        written.join(F.broadcast(ranges), part == F.col("_part"))
        .withColumn(name, F.col("_before") + within)
        .drop("_place", "_part", "_before")
    )


def items_of(spark: SparkSession, visits: DataFrame, folder: str, min_items: int) -> DataFrame:
    """Items by their first click: `row`, `item`, `clicks`."""
    clicks = visits.select("visit", F.posexplode("items").alias("place", "item"))
    first = F.min(F.struct("visit", "place"))
    items = clicks.groupBy("item").agg(first.alias("first"), F.count("*").alias("clicks"))
    items = items.where(F.col("clicks") >= min_items).select(
        "item", "clicks", F.col("first.visit").alias("first_visit"), F.col("first.place").alias("first_place")
    )
    return numbered(spark, items, ["first_visit", "first_place"], "row", folder).select("row", "item", "clicks")


def with_rows(spark: SparkSession, visits: DataFrame, row_of: dict[str, int]) -> DataFrame:
    """Visits with `rows` in place of `items`; items that are not known are left out."""
    shared = spark.sparkContext.broadcast(row_of)
    schema = "visit long, ended long, rows array<int>, kinds array<int>, times array<long>"

    def look_up(chunks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows_of = shared.value
        for chunk in chunks:
            items = chunk.column("items").to_pylist()
            kinds = chunk.column("kinds").to_pylist()
            times = chunk.column("times").to_pylist()
            kept = [
                [(rows_of[item], kind, at) for item, kind, at in zip(*visit, strict=True) if item in rows_of]
                for visit in zip(items, kinds, times, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(
                [
                    chunk.column("visit"),
                    chunk.column("ended"),
                    pa.array([[step[0] for step in visit] for visit in kept], pa.list_(pa.int32())),
                    pa.array([[step[1] for step in visit] for visit in kept], pa.list_(pa.int32())),
                    pa.array([[step[2] for step in visit] for visit in kept], pa.list_(pa.int64())),
                ],
                names=["visit", "ended", "rows", "kinds", "times"],
            )

    return visits.mapInArrow(look_up, schema)


def _lists(chunk: pa.RecordBatch, visits: int) -> tuple[Any, Any, Any, Any]:
    column = chunk.column("rows")
    lengths = np.diff(column.offsets.to_numpy()).astype(np.int64)
    rows = column.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    visit = chunk.column("visit").to_numpy(zero_copy_only=False).astype(np.int64)
    return rows, lengths, visit, visit_weight(visit, visits)


def pairs_of(visits: DataFrame, count: int) -> DataFrame:
    """Ordered pairs: `source`, `target`, `units` (1/distance in 1/2,520) and `weight` (decayed, in 2⁻⁴⁰)."""

    def pairs(chunks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for chunk in chunks:
            rows, lengths, _, weights = _lists(chunk, count)
            yield pa.RecordBatch.from_arrays(
                [pa.array(values) for values in count_pairs(rows, lengths, weights)],
                names=["source", "target", "units", "weight"],
            )

    counted = visits.mapInArrow(pairs, "source long, target long, units long, weight long")
    return counted.groupBy("source", "target").agg(F.sum("units").alias("units"), F.sum("weight").alias("weight"))


def baskets_of(visits: DataFrame, count: int) -> DataFrame:
    """What was put into a basket or bought with what, both ways: `source`, `target`, `weight` (decayed, in 2⁻⁴⁰)."""

    def baskets(chunks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for chunk in chunks:
            rows, lengths, _, weights = _lists(chunk, count)
            kinds = chunk.column("kinds").flatten().to_numpy(zero_copy_only=False)
            yield pa.RecordBatch.from_arrays(
                [pa.array(values) for values in count_baskets(rows, kinds, lengths, weights)],
                names=["source", "target", "weight"],
            )

    counted = visits.mapInArrow(baskets, "source long, target long, weight long")
    return counted.groupBy("source", "target").agg(F.sum("weight").alias("weight"))


def neighbours_of(pairs: DataFrame, kept: int) -> DataFrame:
    """The heaviest targets of each source, heaviest first, ties by row; and the source's weight over all of them."""
    order = Window.partitionBy("source").orderBy(F.desc("weight"), "target")
    best = (
        pairs.withColumn("place", F.row_number().over(order))
        .where(F.col("place") <= kept)
        .groupBy("source")
        .agg(F.sort_array(F.collect_list(F.struct("place", "target", "weight"))).alias("best"))
    )
    sums = pairs.groupBy("source").agg(F.sum("weight").alias("sum"))
    return best.join(sums, "source").select(
        F.col("source").alias("row"), "sum", F.col("best.target").alias("targets"), F.col("best.weight").alias("weights")
    )


def popularity_of(visits: DataFrame, count: int) -> DataFrame:
    """`row`, `steps`, `popularity` and `trend` (decayed, in 2⁻⁴⁰)."""
    newest = newest_visits(count)

    def items(chunks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for chunk in chunks:
            rows, lengths, visit, weights = _lists(chunk, count)
            yield pa.RecordBatch.from_arrays(
                [pa.array(values) for values in count_items(rows, lengths, weights, visit >= newest)],
                names=["row", "steps", "popularity", "trend"],
            )

    counted = visits.mapInArrow(items, "row long, steps long, popularity long, trend long")
    return counted.groupBy("row").agg(*(F.sum(name).alias(name) for name in ("steps", "popularity", "trend")))
