"""What the three programs are told: one place for names, types, defaults and bounds of their command lines."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from attune_spark.arguments import JobError, fail

T = TypeVar("T")


def option(default: Any = MISSING, about: str = "", **metadata: Any) -> Any:
    """@param metadata - `among`: values allowed; `lowest`, `highest`: of a number"""
    return field(default=default, metadata={"about": about, **metadata})


def from_environment(name: str, default: str | None, about: str = "") -> Any:
    return field(default_factory=lambda: os.environ.get(name, default), metadata={"about": about})


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Where stored batches are read from."""

    source: str = option(among=["parquet", "delta", "json", "cosmos.oltp", "cosmosdb", "visits"])
    input: str | None = option(None, "stored batches for parquet, delta and json; train.txt.gz for visits")
    through: int = option(0, "when the newest of `visits` ended; milliseconds since 1970", lowest=0)
    endpoint: str | None = from_environment("COSMOS_ENDPOINT", None, "of the Cosmos account")
    database: str = from_environment("COSMOS_DATABASE", "attune")
    container: str = option("events")
    auth: str = option(
        "managed-identity",
        "key: from the environment variable COSMOS_KEY; service-credential: of Databricks' Unity Catalog",
        among=["key", "managed-identity", "service-credential"],
    )
    credential: str | None = option(None, "name of the service credential; cosmosdb only")
    linked_service: str | None = option(None, "of a Synapse workspace, in place of endpoint and auth; cosmos.oltp only")
    client_id: str | None = option(None, "of a user-assigned managed identity")
    subscription: str | None = option(None, "of the account; cosmos.oltp with managed-identity wants all three")
    resource_group: str | None = option(None)
    tenant: str | None = option(None)
    since: int = option(0, "batches received before are left out; milliseconds since 1970", lowest=0)
    throughput_share: float = option(0.5, "of the container's RU/s that a read may take", lowest=0.01, highest=1)


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(SourceOptions):
    output: str = option()
    format: str = option("parquet", among=["parquet", "delta"])
    neighbours: int = option(100, "kept a row", lowest=1)
    min_items: int = option(1, "items seen less often are left out", lowest=1)
    validation: float = option(0.1, "newest share of visits that fits the ranker", lowest=0.001, highest=0.9)
    held_out: float = option(0.0, "newest share of visits kept away from training", lowest=0, highest=0.25)
    pairs: bool = option(False, "write all pairs too")


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    input: str = option(about="--output of prepare.py")
    output: str = option()
    processes: int = option(2, lowest=1)
    gpu: bool = option(False, "one device a process")
    local_mode: bool = option(False, "all processes on the driver's machine")
    iterations: int = option(5, lowest=1)
    patience: int = option(2, "iterations without a better HR@20 after which training stops", lowest=1)
    batch: int = option(1_024, lowest=1)
    negatives: int = option(2_048, lowest=1)
    peak_rate: float = option(4e-3, lowest=1e-9)
    history_length: int = option(16, "clicks the encoder looks at", lowest=1, highest=16)
    seed: int = option(1)
    threads: int = option(0, "a process; cores divided by processes when absent", lowest=0)


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    input: str = option(about="--output of prepare.py")
    model: str = option(about="--output of train.py")
    output: str = option(about="artifact folder")
    epoch: int | None = option(None, "the next of the folder when absent", lowest=1)
    seed: int = option(1)


def parse(kind: type[T], argv: Sequence[str], about: str | None) -> T:
    """
    A command line as `kind` says: its fields are options, those without a default have to be given.

    @raises JobError OPTION_INVALID
    """
    parser = _Parser(prog=Path(sys.argv[0]).name, description=about)
    types = get_type_hints(kind)
    for one in fields(kind):  # type: ignore[arg-type]
        parser.add_argument("--" + one.name.replace("_", "-"), **_argument(one, types[one.name]))
    given = vars(parser.parse_args(argv))
    for one in fields(kind):  # type: ignore[arg-type]
        _check(one, given[one.name])
    return kind(**given)


def program(kind: type[T], job: Callable[[T], object], about: str | None) -> None:
    """A whole program: command line → job; what cannot go on is told to who follows the log, and ends with status 1."""
    try:
        job(parse(kind, sys.argv[1:], about))
    except JobError as error:
        sys.exit(fail(error))


class _Parser(ArgumentParser):
    def error(self, message: str) -> Any:
        raise JobError("OPTION_INVALID", message)


def _argument(one: Field[Any], type_of: Any) -> dict[str, Any]:
    required = one.default is MISSING and one.default_factory is MISSING
    default = one.default_factory() if one.default_factory is not MISSING else one.default
    common = {"help": one.metadata["about"], "required": required, "default": None if required else default}
    if type_of is bool:
        return common | {"action": BooleanOptionalAction}
    number = next((kind for kind in (int, float) if type_of in (kind, kind | None)), None)
    return common | {"type": number or str, "choices": one.metadata.get("among")}


def _check(one: Field[Any], value: Any) -> None:
    lowest, highest = one.metadata.get("lowest"), one.metadata.get("highest")
    if value is None or ((lowest is None or value >= lowest) and (highest is None or value <= highest)):
        return
    bounds = f"at least {lowest}" if highest is None else f"{lowest} to {highest}"
    raise JobError("OPTION_INVALID", f"--{one.name.replace('_', '-')}: expected {bounds}, received {value}")
