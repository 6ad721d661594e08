"""Where stored batches are read from, Cosmos through one of two connectors or files, and how tables are written."""

from __future__ import annotations

import os

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from attune_spark import files
from attune_spark.arguments import JobError
from attune_spark.options import SourceOptions

# What of packages/core/src/storage.ts BatchDocument is needed.
BATCH_SCHEMA = "id string, visitor string, received long, events array<struct<id: string, kind: string, item: string, at: long>>"


def write_table(frame: DataFrame, folder: str, format_: str) -> None:
    """Puts a table in the place of the one there is."""
    if format_ == "delta":
        # Delta keeps the files of what is overwritten; train.py, which is no Spark, would read them with the new ones.
        files.remove_folder(folder)
    frame.write.mode("overwrite").format(format_).save(folder)


def read_batches(spark: SparkSession, options: SourceOptions) -> DataFrame:
    """@raises JobError PREPARE_SOURCE_INVALID"""
    source: str = options.source
    if source in ("parquet", "delta", "json"):
        if not options.input:
            raise JobError("PREPARE_SOURCE_INVALID", f"--source {source}: --input is missing")
        reader = spark.read.format(source)
        batches = (reader if source == "delta" else reader.schema(BATCH_SCHEMA)).load(options.input)
    else:
        settings = oltp_options(options) if source == "cosmos.oltp" else datasource_options(spark, options)
        batches = spark.read.format(source).schema(BATCH_SCHEMA).options(**settings).load()
    return batches.select("id", "visitor", "received", "events").where(F.col("received") >= options.since)


def read_visits(spark: SparkSession, options: SourceOptions) -> DataFrame:
    """`train.txt.gz` as `attune import` writes it: a visit a line, items separated by spaces, oldest first; times unknown."""
    if not options.input:
        raise JobError("PREPARE_SOURCE_INVALID", "--source visits: --input is missing")
    # One partition, as a gzip file cannot be split: ids that rise are then line numbers.
    lines = (
        spark.read.text(options.input)
        .where(F.col("value") != "")
        .coalesce(1)
        .withColumn("visit", F.monotonically_increasing_id())
    )
    items = F.split("value", " ")
    return lines.select(
        "visit",
        F.col("visit").alias("ended"),
        items.alias("items"),
        F.transform(items, lambda _: F.lit(0)).alias("kinds"),
        F.transform(items, lambda _: F.lit(0).cast("long")).alias("times"),
    )


def oltp_options(options: SourceOptions) -> dict[str, str]:
    """
    The official connector: azure-cosmos-spark_3-5_2-12 and its kin, from Maven.

    @see https://github.com/Azure/azure-sdk-for-java/blob/main/sdk/cosmos/azure-cosmos-spark_3/docs/configuration-reference.md
    """
    settings = {
        "spark.cosmos.container": options.container,
        "spark.cosmos.read.inferSchema.enabled": "false",
        # Clicks being stored go before: a read may take its share of the throughput and waits for more.
        "spark.cosmos.throughputControl.enabled": "true",
        "spark.cosmos.throughputControl.name": "attune-prepare",
        "spark.cosmos.throughputControl.targetThroughputThreshold": str(options.throughput_share),
        "spark.cosmos.throughputControl.globalControl.useDedicatedContainer": "false",
    }
    if options.since > 0:
        settings["spark.cosmos.read.customQuery"] = f"SELECT * FROM c WHERE c.received >= {int(options.since)}"
    if options.linked_service:
        # Account, database and identity are the workspace's.
        return settings | {"spark.synapse.linkedService": options.linked_service}
    settings |= {"spark.cosmos.accountEndpoint": endpoint_of(options), "spark.cosmos.database": options.database}
    if options.auth == "key":
        return settings | {"spark.cosmos.accountKey": account_key()}
    if options.auth != "managed-identity":
        raise JobError("PREPARE_SOURCE_INVALID", f"--auth {options.auth}: cosmos.oltp knows key and managed-identity")
    wanted = {"subscription": options.subscription, "resource-group": options.resource_group, "tenant": options.tenant}
    missing = [f"--{name}" for name, value in wanted.items() if not value]
    if missing:
        raise JobError("PREPARE_SOURCE_INVALID", f"--auth managed-identity: {', '.join(missing)} missing")
    return settings | {
        "spark.cosmos.auth.type": "ManagedIdentity",
        "spark.cosmos.account.subscriptionId": options.subscription or "",
        "spark.cosmos.account.resourceGroupName": options.resource_group or "",
        "spark.cosmos.account.tenantId": options.tenant or "",
        **({"spark.cosmos.auth.aad.clientId": options.client_id} if options.client_id else {}),
    }


def datasource_options(spark: SparkSession, options: SourceOptions) -> dict[str, str]:
    """cosmosdb-spark-datasource from PyPI: Python only, Spark 4; also what reads the Cosmos of one machine."""
    from cosmosdb_datasource import CosmosDBDataSource

    spark.dataSource.register(CosmosDBDataSource)
    settings = {"endpoint": endpoint_of(options), "database": options.database, "container": options.container}
    if options.since > 0:
        settings["query"] = "SELECT * FROM c WHERE c.received >= @since"
        settings["query_parameters"] = f'[{{"name": "@since", "value": {int(options.since)}}}]'
    if options.auth == "key":
        return settings | {"auth_type": "key", "account_key": account_key()}
    if options.auth == "service-credential":
        if not options.credential:
            raise JobError("PREPARE_SOURCE_INVALID", "--auth service-credential: --credential is missing")
        return settings | {"auth_type": "access_token", "access_token": service_token(spark, options.credential)}
    if options.client_id:
        os.environ["AZURE_CLIENT_ID"] = options.client_id
    return settings | {"auth_type": "default"}


def endpoint_of(options: SourceOptions) -> str:
    if options.endpoint:
        return options.endpoint
    raise JobError("PREPARE_SOURCE_INVALID", f"--source {options.source}: --endpoint (or COSMOS_ENDPOINT) is missing")


def account_key() -> str:
    key = os.environ.get("COSMOS_KEY")
    if not key:
        raise JobError("PREPARE_SOURCE_INVALID", "--auth key: COSMOS_KEY is not set")
    return key


def service_token(spark: SparkSession, credential: str) -> str:
    """
    A token for Cosmos as the identity behind a service credential of Unity Catalog, good for about an hour of reading.

    @see https://learn.microsoft.com/azure/databricks/connect/unity-catalog/cloud-services/use-service-credentials
    """
    from pyspark.dbutils import DBUtils

    provider = DBUtils(spark).credentials.getServiceCredentialsProvider(credential)
    return str(provider.get_token("https://cosmos.azure.com/.default").token)
