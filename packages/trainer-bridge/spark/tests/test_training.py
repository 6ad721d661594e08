"""The training itself, without Spark: against PyTorch's own optimiser, and two processes against one."""

import json
import math
import multiprocessing
import os
import socket
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from attune_spark import files
from attune_spark.encoder import DIM, SHAPES, Inputs, RowAdam, encode, initial_weights, one_cycle
from attune_spark.features import encode_queries
from attune_spark.training import Task, train_encoder

ITEMS = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    """Visits along a ring of items, as prepare.py writes them."""
    random = np.random.default_rng(1)
    rows = []
    for _ in range(400):
        start, length = int(random.integers(ITEMS)), int(random.integers(2, 9))
        rows.append([(start + step + int(random.integers(2))) % ITEMS for step in range(length)])
    kinds = [[int(random.integers(2)) for _ in visit] for visit in rows]
    times = [[1_000_000 * step for step in range(len(visit))] for visit in rows]
    table = pa.table(
        {
            "visit": pa.array(range(len(rows)), pa.int64()),
            "rows": pa.array(rows, pa.list_(pa.int32())),
            "kinds": pa.array(kinds, pa.list_(pa.int32())),
            "times": pa.array(times, pa.list_(pa.int64())),
        }
    )
    path = tmp_path_factory.mktemp("data")
    (path / "visits").mkdir()
    pq.write_table(table, path / "visits" / "part.parquet")
    return str(path)


def task(folder: str, out: Path, **more) -> Task:
    settings = {"items": ITEMS, "visits": 360, "validate": True, "batch": 128, "negatives": 64, "iterations": 3, "threads": 1}
    return Task(folder, "encoder", result=str(out / "result"), checkpoint=str(out / "checkpoint"), **(settings | more))


def test_one_cycle_is_pytorch_s():
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=500, pct_start=0.1, cycle_momentum=False)
    theirs = []
    for _ in range(500):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert np.allclose(one_cycle(500, 4e-3)[1:], theirs, rtol=1e-9)


def test_adam_on_the_rows_of_each_batch_is_pytorch_s_dense_adam():
    rates = one_cycle(60, 4e-3)
    random = np.random.default_rng(2)
    raw = torch.randn(30, DIM, generator=torch.Generator().manual_seed(1))
    dense = raw.clone().requires_grad_()
    theirs = torch.optim.Adam([dense], lr=1)
    ours = RowAdam(rates, 30, torch.device("cpu"))
    for step in range(1, 61):
        rows = torch.from_numpy(random.choice(30, 4, replace=False))
        gradient = torch.from_numpy(random.normal(size=(4, DIM)).astype(np.float32))
        ours.update(raw, rows, gradient, step)
        theirs.param_groups[0]["lr"] = float(rates[step])
        dense.grad = torch.zeros(30, DIM).index_put((rows,), gradient)
        theirs.step()
    ours.flush(raw, 60)
    assert float((raw - dense).detach().abs().max()) < 2e-5


def test_the_encoder_in_pytorch_and_in_numpy_is_the_same():
    generator = torch.Generator().manual_seed(3)
    weights = {
        name: value + 0.1 * torch.randn(value.shape, generator=generator) for name, value in initial_weights(generator).items()
    }
    weights["decay"] = torch.tensor([0.2])
    factors = torch.nn.functional.normalize(torch.randn(ITEMS, DIM, generator=generator), dim=1)
    rows, kinds, ages = np.array([3, 7, 7, 1]), np.array([0, 4, 1, 2]), np.array([2.0, 1.0, 0.5, 0.0])
    inputs = Inputs(
        torch.from_numpy(rows)[None], torch.from_numpy(kinds)[None], torch.from_numpy(ages).float()[None], torch.ones(1, 4)
    )
    ours = encode(weights, factors[inputs.rows], inputs)[0].numpy()

    class Model:
        pass

    model = Model()
    model.factors, model.weights = factors.numpy(), {f"enc.{name}": value.numpy() for name, value in weights.items()}
    assert set(weights) == set(SHAPES)
    assert np.allclose(ours, encode_queries(model, [(rows, kinds, ages)])[0], atol=1e-6)


def in_group(rank: int, size: int, port: int, settings: Task, queue) -> None:
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    result = train_encoder(settings)
    if rank == 0:
        queue.put(json.dumps(result))


def in_processes(settings: Task, size: int) -> dict:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=in_group, args=(rank, size, port, settings, queue)) for rank in range(size)]
    for worker in workers:
        worker.start()
    result = json.loads(queue.get(timeout=240))
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    return result


def test_two_processes_learn_what_one_learns(folder, tmp_path):
    """Gradients are summed over processes, and what is random belongs to examples: only the order of sums differs."""
    alone = train_encoder(task(folder, tmp_path / "one"))
    both = in_processes(task(folder, tmp_path / "two"), 2)
    assert (alone["processes"], both["processes"]) == (1, 2)
    assert alone["losses"] == pytest.approx(both["losses"], rel=1e-4)
    one, two = (files.read_tensors(str(tmp_path / name / "result")) for name in ("one", "two"))
    assert float(np.abs(one["factors"] - two["factors"]).max()) < 1e-2
    assert float((one["factors"] * two["factors"]).sum(1).min()) > 0.999
    # It learned something: the next of 40 items is one of two.
    assert alone["losses"][-1] < alone["losses"][0] - 0.5
    assert alone["hr20s"][-1] > 0.8


def test_a_training_that_was_killed_goes_on_to_the_same_factors(folder, tmp_path, monkeypatch):
    whole = train_encoder(task(folder, tmp_path / "whole"))
    import attune_spark.training as training

    iterate = training._Training._iterate

    def die(self, iteration):
        if iteration == 2:
            raise KeyboardInterrupt
        return iterate(self, iteration)

    monkeypatch.setattr(training._Training, "_iterate", die)
    with pytest.raises(KeyboardInterrupt):
        train_encoder(task(folder, tmp_path / "killed"))
    assert (tmp_path / "killed" / "checkpoint").exists()
    monkeypatch.setattr(training._Training, "_iterate", iterate)
    resumed = train_encoder(task(folder, tmp_path / "killed"))
    assert resumed["losses"] == whole["losses"]
    ours, theirs = (files.read_tensors(str(tmp_path / name / "result")) for name in ("whole", "killed"))
    assert all((ours[name] == theirs[name]).all() for name in ours)
    assert not (tmp_path / "killed" / "checkpoint").exists()


def test_a_checkpoint_of_another_training_is_not_gone_on_from(folder, tmp_path):
    other = task(folder, tmp_path / "other", seed=2, iterations=1)
    train_encoder(other)
    (tmp_path / "other" / "checkpoint").write_bytes((tmp_path / "other" / "result").read_bytes())
    files.write_tensors(str(tmp_path / "other" / "checkpoint"), {"notes": np.frombuffer(b'{"key": "x"}', np.uint8)})
    again = train_encoder(task(folder, tmp_path / "other", iterations=1))
    assert math.isfinite(again["losses"][0])
    assert len(again["losses"]) == 1
