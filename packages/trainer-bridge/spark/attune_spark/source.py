"""Where stored batches are read from: Cosmos through one of two connectors, or files."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from attune_spark.arguments import JobError

# What of packages/core/src/storage.ts BatchDocument is needed.
BATCH_SCHEMA = "id string, visitor string, received long, events array<struct<id: string, kind: string, item: string, at: long>>"


def add_source_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--source", choices=["parquet", "delta", "json", "cosmos.oltp", "cosmosdb", "visits"], required=True)
    parser.add_argument("--input", help="stored batches for parquet, delta and json; train.txt.gz for visits")
    parser.add_argument("--through", type=int, default=0, help="when the newest of `visits` ended; milliseconds since 1970")
    parser.add_argument("--endpoint", default=os.environ.get("COSMOS_ENDPOINT"), help="of the Cosmos account")
    parser.add_argument("--database", default=os.environ.get("COSMOS_DATABASE", "attune"))
    parser.add_argument("--container", default="events")
    parser.add_argument(
        "--auth",
        choices=["key", "managed-identity", "service-credential"],
        default="managed-identity",
        help="key: from the environment variable COSMOS_KEY; service-credential: of Databricks' Unity Catalog",
    )
    parser.add_argument("--credential", help="name of the service credential; cosmosdb only")
    parser.add_argument("--linked-service", help="of a Synapse workspace, in place of endpoint and auth; cosmos.oltp only")
    parser.add_argument("--client-id", help="of a user-assigned managed identity")
    parser.add_argument("--subscription", help="of the account; cosmos.oltp with managed-identity wants all three")
    parser.add_argument("--resource-group")
    parser.add_argument("--tenant")
    parser.add_argument("--since", type=int, default=0, help="batches received before are left out; milliseconds since 1970")
    parser.add_argument("--throughput-share", type=float, default=0.5, help="of the container's RU/s that a read may take")


def read_batches(spark: SparkSession, options: Namespace) -> DataFrame:
    """@raises JobError PREPARE_SOURCE_INVALID"""
    source: str = options.source
    if source in ("parquet", "delta", "json"):
        if not options.input:
            raise JobError("PREPARE_SOURCE_INVALID", f"--source {source}: --input is missing")
        reader = spark.read.format(source)
        batches = (reader if source == "delta" else reader.schema(BATCH_SCHEMA)).load(options.input)
    else:
        if not options.endpoint and not options.linked_service:
            raise JobError("PREPARE_SOURCE_INVALID", f"--source {source}: --endpoint (or COSMOS_ENDPOINT) is missing")
        settings = oltp_options(options) if source == "cosmos.oltp" else datasource_options(spark, options)
        batches = spark.read.format(source).schema(BATCH_SCHEMA).options(**settings).load()
    return batches.select("id", "visitor", "received", "events").where(F.col("received") >= options.since)


def read_visits(spark: SparkSession, path: str) -> DataFrame:
    """`train.txt.gz` as `attune import` writes it: a visit a line, items separated by spaces, oldest first; times unknown."""
    # One partition, as a gzip file cannot be split: ids that rise are then line numbers.
    lines = spark.read.text(path).where(F.col("value") != "").coalesce(1).withColumn("visit", F.monotonically_increasing_id())
    items = F.split("value", " ")
    return lines.select(
        "visit",
        F.col("visit").alias("ended"),
        items.alias("items"),
        F.transform(items, lambda _: F.lit(0)).alias("kinds"),
        F.transform(items, lambda _: F.lit(0).cast("long")).alias("times"),
    )


def oltp_options(options: Namespace) -> dict[str, str]:
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
    settings |= {"spark.cosmos.accountEndpoint": options.endpoint, "spark.cosmos.database": options.database}
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
        "spark.cosmos.account.subscriptionId": options.subscription,
        "spark.cosmos.account.resourceGroupName": options.resource_group,
        "spark.cosmos.account.tenantId": options.tenant,
        **({"spark.cosmos.auth.aad.clientId": options.client_id} if options.client_id else {}),
    }


def datasource_options(spark: SparkSession, options: Namespace) -> dict[str, str]:
    """cosmosdb-spark-datasource from PyPI: Python only, Spark 4; also what reads the Cosmos of one machine."""
    from cosmosdb_datasource import CosmosDBDataSource

    spark.dataSource.register(CosmosDBDataSource)
    settings = {"endpoint": options.endpoint, "database": options.database, "container": options.container}
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
