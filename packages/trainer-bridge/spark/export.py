"""
A model of train.py → the files of an epoch, as docs/artifact-format.md says, in the layout the bridge reads and signs.

    spark-submit export.py --input abfss://…(of prepare) --model /Volumes/… --output /Volumes/…/artifact [--epoch N]

Writes files/<sha-256> and, last, epochs/<n>/manifest.json. Needs no Spark; it is a job like the others so that all three run
one after the other on one cluster.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from attune_spark import files, golden, graphs
from attune_spark.arguments import report
from attune_spark.data import load_ids, load_meta, load_tables, load_together
from attune_spark.features import CONTEXT_NAMES, FEATURE_NAMES, Model
from attune_spark.options import ExportOptions, program
from attune_spark.tensors import quantize_rows, write_safetensors

TRAINER = "spark/0.1.0"


def export(options: ExportOptions) -> dict[str, Any]:
    """@raises JobError EXPORT_GOLDEN_TOO_FEW"""
    report(phase="export", step="read")
    trained = json.loads(files.read_bytes(files.join(options.model, "model.json")))
    tensors = files.read_tensors(files.join(options.model, "model.safetensors"))
    ids = load_ids(options.input)
    factors = tensors.pop("factors")
    tables = load_tables(options.input, "", len(ids), trained["neighbours"])
    encoder = {name: value for name, value in tensors.items() if name.startswith("enc.")}
    ranker = {name: value for name, value in tensors.items() if name.startswith("rank.")}
    if load_meta(options.input)["held_out"] > 0:
        visits = files.read_parquet(files.join(options.input, "held_out"), ["visit", "items"]).sort_by("visit")
        lines = "\n".join(" ".join(visit) for visit in visits.column("items").to_pylist())
        files.write_bytes(files.join(options.output, "held-out/train.txt.gz"), gzip.compress(lines.encode()))
    together = load_together(options.input, len(ids))
    model = Model(factors, tables, encoder)
    return write_epoch(options.output, ids, model, ranker, trained, options.seed, options.epoch, together)


def write_epoch(
    folder: str,
    ids: list[str],
    model: Model,
    ranker: dict[str, Any],
    trained: dict[str, Any],
    seed: int,
    epoch: int | None = None,
    together: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """
    The files of an epoch, and its manifest last, so that one that is there is complete.

    @param trained: `neighbours`, `history_length`, `temperature`, `metrics`, and `through` in milliseconds
    @param together: tensors of what is bought together, if anything is known of that
    @raises JobError EXPORT_GOLDEN_TOO_FEW
    """
    report(phase="export", step="golden")
    quantized, scales = quantize_rows(model.factors)
    contents = {
        "factors": write_safetensors({"factors": model.factors, "scales": scales, "quantized": quantized}),
        "tables": write_safetensors(model.tables._asdict() | (together or {})),
        "items": _json({"ids": ids}),
        "weights": write_safetensors(model.weights | ranker),
        "encoder": graphs.encoder_graph(model.weights),
        "ranker": graphs.ranker_graph(ranker, model.factors.shape[1]),
        "golden": _json(golden.make_golden(ids, model, ranker, seed)),
    }
    listed = {}
    for role, content in contents.items():
        digest = hashlib.sha256(content).hexdigest()
        files.write_bytes(files.join(folder, f"files/{digest}"), content)
        listed[role] = {"sha256": digest, "bytes": len(content)}
    parent = files.newest_epoch(folder)
    number = epoch or (parent or 0) + 1
    through = datetime.fromtimestamp(trained["through"] / 1_000, UTC)
    manifest = {
        "format": 1,
        "epoch": number,
        "parent": parent,
        "created": _iso(datetime.now(UTC)),
        "trainer": TRAINER,
        "items": len(ids),
        "dim": model.factors.shape[1],
        "historyLength": trained["history_length"],
        "neighbours": trained["neighbours"],
        "features": list(FEATURE_NAMES),
        "context": list(CONTEXT_NAMES),
        "temperature": trained["temperature"],
        "files": listed,
        "gate": {**(trained["metrics"] or {}), "through": _iso(through)},
    }
    path = files.join(folder, f"epochs/{number}/manifest.json")
    files.write_bytes(path, json.dumps(manifest, indent=2).encode())
    report(phase="export", step="done", epoch=number, items=len(ids), bytes=sum(map(len, contents.values())))
    return manifest


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    program(ExportOptions, export, __doc__)
