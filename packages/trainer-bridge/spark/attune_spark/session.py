from __future__ import annotations

from pyspark.sql import SparkSession


def start_session(name: str) -> SparkSession:
    """The cluster's session, or one of this machine as spark-submit was told."""
    spark = SparkSession.builder.appName(name).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    # Visits and items are written once and read for every table; small files cost more than small tasks.
    spark.conf.set("spark.sql.adaptive.enabled", "true")
    return spark
