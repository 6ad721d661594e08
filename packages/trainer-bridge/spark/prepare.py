"""
Stored events → what train.py learns from: visits, items and tables of decayed counts, as Parquet or Delta.

    spark-submit prepare.py --source cosmos.oltp --endpoint https://… --output abfss://… [--since MS] [--format delta]

Writes under --output: `visits` (visit, ended, rows, kinds, times), `items` (row, item, clicks), `neighbours` (row, sum,
targets, weights), `popularity` (row, steps, popularity, trend), `together` (of baskets, as `neighbours`), with --pairs
`pairs`, and last `meta`.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from attune_spark import visits
from attune_spark.arguments import JobError, report
from attune_spark.counts import TOGETHER_WIDTH, newest_visits
from attune_spark.options import PrepareOptions, program
from attune_spark.session import start_session
from attune_spark.source import read_batches, read_visits, write_table


def prepare(spark: SparkSession, options: PrepareOptions) -> dict[str, int]:
    """@raises JobError PREPARE_SOURCE_INVALID, PREPARE_TOO_SMALL"""
    out = options.output.rstrip("/")
    work = f"{out}/_work"

    def write(frame: DataFrame, name: str) -> None:
        write_table(frame, f"{out}/{name}", options.format)

    report(phase="prepare", step="visits")
    if options.source == "visits":
        ordered = read_visits(spark, options).persist()
    else:
        made = visits.visits_of(read_batches(spark, options)).where(F.size("items") > 1)
        ordered = visits.numbered(spark, made, ["ended", "visitor"], "visit", f"{work}/ordered")
    told = ordered.count()
    # As packages/trainer-bridge/src/gate/held-out.ts: enough to compare on, never more than a quarter.
    held = min(told // 4, max(20, int(told * options.held_out + 0.5))) if options.held_out > 0 else 0
    if held > 0:
        # The newest visits stay out of everything: what serves and what is new are compared on them.
        first = told - held
        write(ordered.where(F.col("visit") >= first).select("visit", "items"), "held_out")
        ordered = ordered.where(F.col("visit") < first)
    report(phase="prepare", step="items")
    items = visits.items_of(spark, ordered, f"{work}/items", options.min_items)
    write(items.orderBy("row"), "items")
    row_of = {row["item"]: row["row"] for row in items.collect()}
    known = visits.with_rows(spark, ordered, row_of).where(F.size("rows") > 1)
    if options.min_items > 1:
        known = visits.numbered(spark, known.drop("visit"), ["ended", "rows"], "visit", f"{work}/known")
    write(known, "visits")
    learned = spark.read.format(options.format).load(f"{out}/visits")
    totals = learned.agg(F.count("*"), F.coalesce(F.sum(F.size("rows")), F.lit(0)), F.max("ended")).collect()[0]
    count, clicks, through = (int(value or 0) for value in totals)
    if count < 20:
        raise JobError("PREPARE_TOO_SMALL", f"expected at least 20 visits of two steps or more, received {count}")

    report(phase="prepare", step="counts", visits=count, items=len(row_of), clicks=clicks)
    # Twice: the ranker has to be fitted to tables that have not seen the visits it learns from.
    cut = min(count - 1, int(count * (1 - options.validation) + 0.5))
    for name, part, size in (("", learned, count), ("_older", learned.where(F.col("visit") < cut), cut)):
        pairs = visits.pairs_of(part, size)
        if options.pairs or name == "":
            pairs = pairs.persist()
        write(visits.neighbours_of(pairs, options.neighbours), f"neighbours{name}")
        write(visits.popularity_of(part, size), f"popularity{name}")
        if options.pairs and name == "":
            write(pairs, "pairs")
        pairs.unpersist()
    write(visits.neighbours_of(visits.baskets_of(learned, count), TOGETHER_WIDTH), "together")
    meta = {
        "visits": count,
        "clicks": clicks,
        "items": len(row_of),
        "neighbours": options.neighbours,
        "cut": cut,
        "newest": newest_visits(count),
        "held_out": held,
        "through": options.through or through,
    }
    write(spark.createDataFrame([tuple(meta.values())], ", ".join(f"{name} long" for name in meta)).coalesce(1), "meta")
    report(phase="prepare", step="done", **meta)
    return meta


def main(options: PrepareOptions) -> None:
    prepare(start_session("attune-prepare"), options)


if __name__ == "__main__":
    program(PrepareOptions, main, __doc__)
