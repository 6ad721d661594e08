"""PySpark 4.0 with cosmosdb-spark-datasource: `python suite.py ENDPOINT KEY` prints {"pass", "fail", "failures"}."""

import json
import sys
import tempfile

from azure.cosmos import CosmosClient, PartitionKey
from cosmosdb_datasource import CosmosDBDataSource
from pyspark.sql import SparkSession

ENDPOINT, KEY = sys.argv[1:3]
ITEMS = 60
database = CosmosClient(ENDPOINT, credential=KEY).create_database_if_not_exists("spark")
container = database.create_container("goods", PartitionKey(path="/pk"), offer_throughput=20000)
for i in range(ITEMS):
    container.create_item({"id": f"a{i}", "pk": f"k{i % 7}", "n": i, "name": f"good {i}"})

spark = (
    SparkSession.builder.master("local[2]")
    .appName("cosmos-local")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.sql.shuffle.partitions", "2")
    # Workers start slowly on a busy machine; the default of 15 s is not enough there.
    .config("spark.python.authenticate.socketTimeout", "180s")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
spark.dataSource.register(CosmosDBDataSource)
options = {"endpoint": ENDPOINT, "database": "spark", "container": "goods", "auth_type": "key", "account_key": KEY}
SCHEMA = "id string, pk string, n long, name string"
checks = []


def check(name):
    def add(run):
        checks.append((name, run))
        return run

    return add


def read(**more):
    return spark.read.format("cosmosdb").options(**options, **more)


def stream(folder, name):
    """Streams to the end of the feed. Spark gives a worker 10 s to connect back, too few on a busy machine: then again,
    from the checkpoint."""
    for last in (False, False, False, True):
        changes = spark.readStream.format("cosmosdb").options(**options, change_feed_mode="LatestVersion").load()
        query = (
            changes.writeStream.format("parquet")
            .option("path", f"{folder}/{name}")
            .option("checkpointLocation", f"{folder}/checkpoint")
            .trigger(availableNow=True)
            .start()
        )
        try:
            assert query.awaitTermination(180), "the stream did not end"
            break
        except Exception as error:  # noqa: BLE001 - thrown on when it is anything else
            if last or "failed to connect back" not in str(error):
                raise
    return spark.read.parquet(f"{folder}/{name}")


@check("batch: every item, with a schema")
def _():
    rows = read().schema(SCHEMA).load().collect()
    assert sorted(row.n for row in rows) == list(range(ITEMS)), len(rows)


@check("batch: one task for each of two ranges")
def _():
    assert read().schema(SCHEMA).load().rdd.getNumPartitions() == 2


@check("batch: inferred schema")
def _():
    frame = read().load()
    assert frame.count() == ITEMS


@check("batch: a query with parameters")
def _():
    frame = read(query="SELECT * FROM c WHERE c.n >= @n", query_parameters='[{"name": "@n", "value": 50}]')
    assert frame.schema(SCHEMA).load().count() == 10


@check("batch: sums and groups in Spark")
def _():
    assert read().schema(SCHEMA).load().groupBy().sum("n").collect()[0][0] == sum(range(ITEMS))


with tempfile.TemporaryDirectory() as folder:

    @check("change feed: streamed to its end")
    def _():
        assert stream(folder, "changes").count() == ITEMS

    @check("change feed: goes on from its checkpoint, changes only")
    def _():
        container.upsert_item({"id": "a0", "pk": "k0", "n": 1000, "name": "changed"})
        container.create_item({"id": "new", "pk": "k1", "n": 1001, "name": "new"})
        assert stream(folder, "changes").count() == ITEMS + 2

    failures = []
    for name, run in checks:
        try:
            run()
        except Exception as error:  # noqa: BLE001 - every failure is reported by name
            failures.append(f"{name}: {type(error).__name__}: {str(error)[:600]}")
spark.stop()
print(json.dumps({"pass": len(checks) - len(failures), "fail": len(failures), "failures": failures}))
