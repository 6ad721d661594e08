"""
What prepare.py wrote → a model: factors, encoder, ranker.

    spark-submit train.py --input abfss://… --output /Volumes/… [--processes N] [--gpu]

Encoder and factors are trained by N processes through TorchDistributor on the older visits, the ranker on the newest, which
they have not seen, then the encoder again on everything. --output is a place that every node can open as files; model.safetensors
and model.json are written there, and checkpoints that a job which is started again goes on from.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

from attune_spark import features, files
from attune_spark.arguments import report
from attune_spark.data import Examples, Visits, examples_of, load_meta, load_tables, load_visits
from attune_spark.encoder import TEMPERATURE
from attune_spark.features import SERVED, WIDE, Model, Plan, Retriever, rank_of, score
from attune_spark.options import TrainOptions, program
from attune_spark.ranker import Samples, fit, join_samples, measure
from attune_spark.session import pack, start_session

MAX_SAMPLES = 25_000
MEASURED_SHARE = 0.2
MAX_MEASURED = 4_096
# Steps of a visit that features look at when a list is measured, as edges do.
MAX_HISTORY_STEPS = 50
SAMPLE_SCHEMA = "number long, inputs binary, context binary, count long, target long, encoder_rank long"


def in_process(package: bytes, task: dict[str, Any]) -> dict[str, Any]:
    """
    What each process of torchrun calls. They are no workers of Spark, which know the package: it travels with the task.
    """
    import sys
    import tempfile
    from pathlib import Path

    archive = Path(tempfile.mkdtemp(prefix="attune-")) / "attune_spark.zip"
    archive.write_bytes(package)
    sys.path.insert(0, str(archive))
    from attune_spark.training import Task, train_encoder

    return train_encoder(Task(**task))


def train(spark: SparkSession, options: TrainOptions) -> dict[str, Any]:
    started, cpu = time.perf_counter(), time.process_time()
    meta = load_meta(options.input)
    packed = pack()
    report(phase="encoder", **{name: meta[name] for name in ("visits", "clicks", "items")})

    def run(phase: str, visits: int, validate: bool, iterations: int) -> dict[str, Any]:
        task = {
            "folder": options.input,
            "phase": phase,
            "items": meta["items"],
            "visits": visits,
            "validate": validate,
            "result": files.join(options.output, f"{phase}.safetensors"),
            "checkpoint": files.join(options.output, f"{phase}.checkpoint"),
            "history_length": options.history_length,
            "iterations": iterations,
            "patience": options.patience,
            "batch": options.batch,
            "negatives": options.negatives,
            "peak_rate": options.peak_rate,
            "seed": options.seed,
            "use_gpu": options.gpu,
            "threads": options.threads,
        }
        distributor = TorchDistributor(num_processes=options.processes, local_mode=options.local_mode, use_gpu=options.gpu)
        result: dict[str, Any] = distributor.run(in_process, packed, task)
        return result

    older = run("encoder", meta["cut"], True, options.iterations)
    report(phase="ranker", hr20=older["hr20s"][-1] if older["hr20s"] else None)
    parts = files.read_tensors(files.join(options.output, "encoder.safetensors"))
    kept = meta["neighbours"]
    model = Model(parts.pop("factors"), load_tables(options.input, "_older", meta["items"], kept), parts)
    weights, metrics = fit_ranker(spark, options, model, meta["cut"])
    rebuilt = run("rebuild", meta["visits"], False, older["stopped_at"] or options.iterations)
    final = files.read_tensors(files.join(options.output, "rebuild.safetensors"))
    files.write_tensors(files.join(options.output, "model.safetensors"), final | weights)
    summary = {
        "history_length": options.history_length,
        "neighbours": kept,
        "temperature": TEMPERATURE,
        "through": meta["through"],
        "metrics": metrics,
        "losses": {"encoder": older["losses"], "rebuild": rebuilt["losses"]},
        "processes": rebuilt["processes"],
        "seconds": time.perf_counter() - started,
        "driver_cpu_seconds": time.process_time() - cpu,
    }
    files.write_bytes(files.join(options.output, "model.json"), json.dumps(summary).encode())
    report(phase="done", metrics=metrics, seconds=round(summary["seconds"], 1))
    return summary


def fit_ranker(
    spark: SparkSession, options: TrainOptions, model: Model, cut: int
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Fitted twice: without the newest fifth of the held-out visits, which measure it, then on all of them."""
    visits = load_visits(options.input)
    held = visits.slice(cut, len(visits))
    split = held.offsets[max(1, int(len(held) * (1 - MEASURED_SHARE) + 0.5))]
    every = examples_of(held, options.history_length)
    random = np.random.default_rng([options.seed, 6])
    chosen = np.sort(random.permutation(len(every.target))[:MAX_SAMPLES])
    examples = Examples(every.target[chosen], every.start[chosen])
    samples, _ = prepare_samples(spark, options, model, held, examples, WIDE)
    scale = measure(samples)
    early = np.nonzero(examples.target < split)[0]
    first = fit(samples, early, scale, options.seed)

    whole = examples_of(held, MAX_HISTORY_STEPS)
    newest = np.nonzero(whole.target >= split)[0][-MAX_MEASURED:]
    measured, encoder_ranks = prepare_samples(
        spark, options, model, held, Examples(whole.target[newest], whole.start[newest]), SERVED
    )
    metrics = None if len(newest) == 0 else judge(first, measured, encoder_ranks)
    return fit(samples, np.arange(len(chosen)), scale, options.seed), metrics


def prepare_samples(
    spark: SparkSession, options: TrainOptions, model: Model, held: Visits, examples: Examples, plan: Plan
) -> tuple[Samples, Any]:
    """Candidates and features of histories, computed by the cluster. @returns them in order, and the encoder's own ranks"""
    shared = spark.sparkContext.broadcast((model, held, examples, plan))

    def work(chunks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        model, held, examples, plan = shared.value
        retriever = Retriever(model)
        for chunk in chunks:
            numbers = chunk.column(0).to_numpy(zero_copy_only=False)
            for at in range(0, len(numbers), 64):
                yield describe(retriever, held, examples, numbers[at : at + 64], plan)

    folder = files.join(options.output, "_samples" if plan == WIDE else "_measured")
    slices = max(2, 2 * spark.sparkContext.defaultParallelism)
    numbers = spark.range(0, len(examples.target), 1, slices)
    numbers.mapInArrow(work, SAMPLE_SCHEMA).write.mode("overwrite").parquet(folder)
    shared.destroy()
    table = files.read_parquet(folder, None).sort_by("number")
    columns = {column: table.column(column).to_pylist() for column in ("inputs", "context")}
    parts = [
        Samples(
            np.frombuffer(b"".join(columns["inputs"]), np.float32).reshape(-1, features.INPUTS),
            np.frombuffer(b"".join(columns["context"]), np.float32).reshape(-1, features.CONTEXT),
            table.column("count").to_numpy(),
            table.column("target").to_numpy(),
        )
    ]
    return join_samples(parts), table.column("encoder_rank").to_numpy()


def describe(retriever: Retriever, held: Visits, examples: Examples, numbers: Any, plan: Plan) -> pa.RecordBatch:
    histories = []
    for start, target in zip(examples.start[numbers], examples.target[numbers], strict=True):
        ages = np.maximum(0, (held.times[target - 1] - held.times[start:target]) / 3_600_000)
        histories.append((held.rows[start:target], held.kinds[start:target], ages))
    queries, prepared = retriever.prepare(histories, plan)
    wanted = held.rows[examples.target[numbers]]
    scores = queries @ retriever.model.factors.T
    own = scores[np.arange(len(wanted)), wanted]
    encoder_rank = (scores > own[:, None]).sum(1)
    places = [np.nonzero(one.rows == row)[0] for one, row in zip(prepared, wanted, strict=True)]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(numbers, pa.int64()),
            pa.array([one.inputs().tobytes() for one in prepared], pa.binary()),
            pa.array([one.context.tobytes() for one in prepared], pa.binary()),
            pa.array([len(one.rows) for one in prepared], pa.int64()),
            pa.array([int(place[0]) if len(place) > 0 else -1 for place in places], pa.int64()),
            pa.array(encoder_rank.astype(np.int64)),
        ],
        names=["number", "inputs", "context", "count", "target", "encoder_rank"],
    )


def judge(weights: dict[str, Any], samples: Samples, encoder_ranks: Any) -> dict[str, Any]:
    """HR@20 and MRR@20, of the whole and of the encoder alone."""
    ranks = []
    for start, count, target, context in zip(samples.starts(), samples.counts, samples.targets, samples.context, strict=True):
        inputs = samples.inputs[start : start + count]
        one = features.Prepared(np.arange(count), inputs[:, 0], inputs[:, 2:], context)
        ranks.append(rank_of(score(weights, one), int(target)))

    def metrics(values: Any) -> tuple[float, float]:
        hit = (values >= 0) & (values < 20)
        return float(hit.mean()), float(np.where(hit, 1 / (np.maximum(values, 0) + 1), 0).mean())

    (hr20, mrr20), (alone, alone_mrr) = metrics(np.array(ranks)), metrics(encoder_ranks)
    return {
        "prefixes": len(ranks),
        "hr20": hr20,
        "mrr20": mrr20,
        "hr20EncoderOnly": alone,
        "mrr20EncoderOnly": alone_mrr,
    }


def main(options: TrainOptions) -> None:
    train(start_session("attune-train"), options)


if __name__ == "__main__":
    program(TrainOptions, main, __doc__)
