"""Options of the connectors that no test here can reach, against what their documentation names."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attune_spark import files
from attune_spark.arguments import JobError
from attune_spark.options import PrepareOptions, parse
from attune_spark.source import datasource_options, oltp_options, write_table

BASE = ["--output", "/out", "--endpoint", "https://cosmos.example"]


def options(*more: str):
    return parse(PrepareOptions, [*BASE, *more], None)


def test_a_managed_identity_names_subscription_group_and_tenant_of_the_account():
    account = ["--subscription", "s", "--resource-group", "g", "--tenant", "t", "--client-id", "c"]
    given = ["--source", "cosmos.oltp", *account, "--since", "1700000000000"]
    assert oltp_options(options(*given)) == {
        "spark.cosmos.accountEndpoint": "https://cosmos.example",
        "spark.cosmos.database": "attune",
        "spark.cosmos.container": "events",
        "spark.cosmos.auth.type": "ManagedIdentity",
        "spark.cosmos.account.subscriptionId": "s",
        "spark.cosmos.account.resourceGroupName": "g",
        "spark.cosmos.account.tenantId": "t",
        "spark.cosmos.auth.aad.clientId": "c",
        "spark.cosmos.read.inferSchema.enabled": "false",
        "spark.cosmos.read.customQuery": "SELECT * FROM c WHERE c.received >= 1700000000000",
        "spark.cosmos.throughputControl.enabled": "true",
        "spark.cosmos.throughputControl.name": "attune-prepare",
        "spark.cosmos.throughputControl.targetThroughputThreshold": "0.5",
        "spark.cosmos.throughputControl.globalControl.useDedicatedContainer": "false",
    }


def test_what_a_managed_identity_lacks_is_named():
    with pytest.raises(JobError, match="PREPARE_SOURCE_INVALID: --auth managed-identity: --resource-group, --tenant missing"):
        oltp_options(options("--source", "cosmos.oltp", "--subscription", "s"))


def test_a_linked_service_stands_for_account_and_identity():
    settings = oltp_options(options("--source", "cosmos.oltp", "--linked-service", "attune_cosmos"))
    assert settings["spark.synapse.linkedService"] == "attune_cosmos"
    assert not any(name.startswith(("spark.cosmos.account", "spark.cosmos.auth")) for name in settings)


def test_a_key_comes_from_the_environment_only(monkeypatch):
    monkeypatch.delenv("COSMOS_KEY", raising=False)
    with pytest.raises(JobError, match="COSMOS_KEY is not set"):
        oltp_options(options("--source", "cosmos.oltp", "--auth", "key"))
    monkeypatch.setenv("COSMOS_KEY", "k")
    assert oltp_options(options("--source", "cosmos.oltp", "--auth", "key"))["spark.cosmos.accountKey"] == "k"


def test_a_token_of_a_service_credential_is_handed_to_the_python_data_source(monkeypatch):
    class Sources:
        def register(self, _):
            pass

    class Session:
        dataSource = Sources()

    import attune_spark.source as source

    monkeypatch.setattr(source, "service_token", lambda _, name: f"token of {name}")
    given = options("--source", "cosmosdb", "--auth", "service-credential", "--credential", "attune")
    assert datasource_options(Session(), given) == {
        "endpoint": "https://cosmos.example",
        "database": "attune",
        "container": "events",
        "auth_type": "access_token",
        "access_token": "token of attune",
    }


class AsDelta:
    """A frame whose writer does what Delta does to a folder: adds files, and leaves those of the version before."""

    def __init__(self, *rows: int) -> None:
        self.rows = rows

    @property
    def write(self):
        return self

    def mode(self, mode):
        assert mode == "overwrite"
        return self

    def format(self, name):
        assert name == "delta"
        return self

    def save(self, folder):
        path = Path(folder)
        path.mkdir(exist_ok=True)
        pq.write_table(pa.table({"row": self.rows}), path / f"part-{len(list(path.iterdir()))}.parquet")


def test_a_delta_table_written_again_holds_the_new_rows_alone_for_who_reads_its_files(tmp_path):
    folder = str(tmp_path / "visits")
    AsDelta(1, 2).save(folder)
    AsDelta(3).save(folder)
    assert files.read_parquet(folder, ["row"]).column("row").to_pylist() == [1, 2, 3]  # what would be read otherwise
    write_table(AsDelta(4, 5), folder, "delta")
    assert files.read_parquet(folder, ["row"]).column("row").to_pylist() == [4, 5]
