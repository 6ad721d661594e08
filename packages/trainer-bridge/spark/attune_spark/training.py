"""Trains encoder and factors in one or several processes that hold the same model and share the examples of each batch."""

from __future__ import annotations

import hashlib
import json
import math
import os
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from attune_spark import files
from attune_spark.arguments import JobError, report
from attune_spark.data import Examples, Visits, examples_of, load_visits
from attune_spark.encoder import (
    BETA1,
    BETA2,
    DIM,
    DROPOUT,
    SHAPES,
    SHARDS,
    Inputs,
    Negatives,
    RowAdam,
    encode,
    gather,
    initial_weights,
    one_cycle,
    softmax_loss,
)

MAX_VALIDATION_EXAMPLES = 4_096
INITIAL_DEVIATION = 0.1
REPORT_EVERY = 200


class Task(NamedTuple):
    """What a process needs to know; small, for it travels with the job."""

    folder: str
    phase: str
    items: int
    # Visits trained on: the first so many; the rest, if `validate`, tells how it is going.
    visits: int
    validate: bool
    result: str
    checkpoint: str
    history_length: int = 16
    iterations: int = 5
    patience: int = 2
    batch: int = 1_024
    negatives: int = 2_048
    peak_rate: float = 4e-3
    seed: int = 1
    dropout: float = DROPOUT
    use_gpu: bool = False
    threads: int = 0


class Group:
    """The processes of a training: one, or those torchrun started."""

    def __init__(self, use_gpu: bool) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if use_gpu else torch.device("cpu")
        if use_gpu:
            torch.cuda.set_device(self.device)
        self.started = self.size > 1 and not dist.is_initialized()
        if self.started:
            dist.init_process_group("nccl" if use_gpu else "gloo")

    def sum(self, values: Tensor) -> Tensor:
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def gather_rows(self, rows: Tensor, gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of all processes and the sums of their gradients; in the same order everywhere."""
        if self.size == 1:
            return rows, gradients
        sizes = [torch.zeros(1, dtype=torch.long, device=rows.device) for _ in range(self.size)]
        dist.all_gather(sizes, torch.tensor([len(rows)], device=rows.device))
        longest = int(max(int(size) for size in sizes))
        padded_rows = torch.nn.functional.pad(rows, (0, longest - len(rows)))
        padded = torch.nn.functional.pad(gradients, (0, 0, 0, longest - len(rows)))
        all_rows = [torch.empty_like(padded_rows) for _ in range(self.size)]
        all_gradients = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(all_rows, padded_rows)
        dist.all_gather(all_gradients, padded)
        row = torch.cat([part[: int(size)] for part, size in zip(all_rows, sizes, strict=True)])
        gradient = torch.cat([part[: int(size)] for part, size in zip(all_gradients, sizes, strict=True)])
        union, place = torch.unique(row, return_inverse=True)
        return union, torch.zeros(len(union), DIM, device=row.device).index_add_(0, place, gradient)

    def same(self, values: Tensor) -> bool:
        """Whether all processes hold the same numbers."""
        if self.size == 1:
            return True
        digest = values.double().sum().reshape(1)
        least, most = digest.clone(), digest.clone()
        dist.all_reduce(least, dist.ReduceOp.MIN)
        dist.all_reduce(most, dist.ReduceOp.MAX)
        return bool(least == most)

    def end(self) -> None:
        if self.started:
            dist.destroy_process_group()


def train_encoder(task: Task) -> dict[str, Any]:
    """
    Runs in every process; the first writes checkpoints and the result. The same seed gives the same factors, but for the
    order in which processes' sums are made, whatever the number of processes up to 8.

    @returns losses and validation figures by iteration, and after how many of them training was stopped early
    @raises JobError TRAIN_DIVERGED, TRAIN_REPLICAS_DIFFER
    """
    group = Group(task.use_gpu)
    torch.set_num_threads(task.threads or max(1, (os.cpu_count() or 1) // group.size))
    try:
        return _Training(task, group).run()
    finally:
        group.end()


class _Training:
    def __init__(self, task: Task, group: Group) -> None:
        self.task, self.group = task, group
        visits = load_visits(task.folder)
        self.visits = visits.slice(0, task.visits)
        self.held = visits.slice(task.visits, len(visits)) if task.validate else None
        self.examples = examples_of(self.visits, task.history_length)
        self.batches = math.ceil(len(self.examples.target) / task.batch)
        device = group.device
        generator = torch.Generator().manual_seed(task.seed)
        self.weights = {name: value.to(device).requires_grad_() for name, value in initial_weights(generator).items()}
        self.raw = (torch.randn(task.items, DIM, generator=generator) * INITIAL_DEVIATION).to(device)
        rates = one_cycle(task.iterations * self.batches, task.peak_rate)
        self.adam = RowAdam(rates, task.items, device)
        self.moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in self.weights.items()}
        self.negatives = Negatives(self.visits, task.items, task.negatives)
        self.negatives.log_share = self.negatives.log_share.to(device)
        self.losses: list[float] = []
        self.hr20s: list[float] = []
        identity = [task._replace(result="", checkpoint="", threads=0), len(self.visits.rows), int(self.visits.times.sum())]
        self.key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    def run(self) -> dict[str, Any]:
        self._resume()
        for iteration in range(len(self.losses), self.task.iterations):
            if self._stopped():
                break
            loss = self._iterate(iteration)
            if not math.isfinite(loss):
                raise JobError("TRAIN_DIVERGED", f"iteration {iteration + 1}: loss is {loss}; a lower --peak-rate may help")
            self.losses.append(loss)
            self.adam.flush(self.raw, (iteration + 1) * self.batches)
            if not self.group.same(self.raw):
                raise JobError("TRAIN_REPLICAS_DIFFER", f"iteration {iteration + 1}: processes hold different factors")
            if self.held is not None:
                self.hr20s.append(self._validate(self.held))
            self._save()
            self._report(iteration + 1, loss)
        if self.group.rank == 0:
            files.write_tensors(self.task.result, self._result())
            files.remove(self.task.checkpoint)
        return {
            "losses": self.losses,
            "hr20s": self.hr20s,
            "stopped_at": self._best() if self._stopped() else None,
            "processes": self.group.size,
        }

    def _iterate(self, iteration: int) -> float:
        task = self.task
        random = np.random.default_rng([task.seed, 1, iteration])
        lengths = self.examples.target - self.examples.start
        # Batches of one length or nearly: padding is what time would otherwise go to.
        order = np.lexsort((random.random(len(lengths)), lengths))
        chunks = np.array_split(order, np.arange(task.batch, len(order), task.batch))
        total = 0.0
        for batch, number in enumerate(random.permutation(len(chunks))):
            chunk = chunks[number]
            step = iteration * self.batches + batch + 1
            total += self._step(chunk, step, np.random.default_rng([task.seed, 2, step]))
            if (batch + 1) % REPORT_EVERY == 0:
                self._report(iteration + (batch + 1) / self.batches, None)
        return float(self.group.sum(torch.tensor([total], dtype=torch.double, device=self.group.device))) / len(order)

    def _step(self, chunk: np.ndarray[Any, Any], step: int, random: np.random.Generator) -> float:
        """@returns this process's part of the batch's loss"""
        device, adam = self.group.device, self.adam
        drawn, bias = self.negatives.draw(random)
        size, rank = self.group.size, self.group.rank
        shards = [(shard, part) for shard, part in enumerate(np.array_split(chunk, SHARDS)) if shard % size == rank]
        mine = np.concatenate([part for _, part in shards])
        loss = torch.zeros((), device=device)
        union = torch.zeros(0, dtype=torch.long, device=device)
        gradient = torch.zeros(0, DIM, device=device)
        if len(mine) > 0:
            inputs, targets = gather(self.visits, self.examples, mine, self.task.items)
            inputs = Inputs(*(part.to(device) for part in inputs))
            targets, drawn, bias = targets.to(device), drawn.to(device), bias.to(device)
            union, place = torch.unique(torch.cat([inputs.rows.reshape(-1), targets, drawn]), return_inverse=True)
            # The padding's row, if any, is the last: its factors are zero and stay so.
            padded = bool(union[-1] == self.task.items)
            known = union[:-1] if padded else union
            values, _, _ = adam.caught_up(self.raw, known, step)
            values.requires_grad_()
            unit = torch.nn.functional.normalize(values, dim=1)
            unit = torch.cat([unit, torch.zeros(1, DIM, device=device)]) if padded else unit
            steps_at, targets_at, drawn_at = torch.split(place, [inputs.rows.numel(), len(targets), len(drawn)])
            steps = unit[steps_at].reshape(*inputs.rows.shape, DIM)
            if self.task.dropout > 0:
                steps = steps * self._keep(shards, inputs.rows.shape[1], step)
            queries = encode(self.weights, steps, inputs)
            own = -self.negatives.log_share[targets]
            loss = softmax_loss(queries, unit[targets_at], targets, unit[drawn_at], drawn, bias, own)
            torch.autograd.backward(loss / len(chunk))
            assert values.grad is not None
            union, gradient = known, values.grad
        self._update_weights(step)
        rows, gradients = self.group.gather_rows(union, gradient)
        adam.update(self.raw, rows, gradients, step)
        return loss.item()

    def _keep(self, shards: list[tuple[int, Any]], length: int, step: int) -> Tensor:
        """Dropout's mask, drawn shard by shard."""
        masks = []
        for shard, part in shards:
            generator = torch.Generator().manual_seed((self.task.seed * 1_000_003 + step) * SHARDS + shard)
            # As for the longest history, so that the mask does not depend on how the batch was padded.
            drawn = torch.rand(len(part), 16, DIM, generator=generator)[:, 16 - length :]
            masks.append((drawn >= self.task.dropout).float() / (1 - self.task.dropout))
        return torch.cat(masks).to(self.group.device)

    def _update_weights(self, step: int) -> None:
        names = list(self.weights)
        gradients = [self.weights[name].grad for name in names]
        flat = torch.cat(
            [
                (torch.zeros_like(self.weights[name]) if gradient is None else gradient).reshape(-1)
                for name, gradient in zip(names, gradients, strict=True)
            ]
        )
        self.group.sum(flat)
        parts = torch.split(flat, [self.weights[name].numel() for name in names])
        rate, epsilon = float(self.adam.rates[step]), float(self.adam.epsilons[step])
        with torch.no_grad():
            for name, part in zip(names, parts, strict=True):
                value, (m, v) = self.weights[name], self.moments[name]
                gradient = part.reshape(value.shape)
                m.mul_(BETA1).add_(gradient, alpha=1 - BETA1)
                v.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
                value -= rate * m / (v.sqrt() + epsilon)
                value.grad = None
            # A step's weight must not grow with its age.
            self.weights["decay"].clamp_min_(0)

    def _validate(self, held: Visits) -> float:
        """HR@20 of the encoder alone on the newest held-out examples, shared among the processes."""
        examples = examples_of(held, self.task.history_length)
        newest = np.arange(max(0, len(examples.target) - MAX_VALIDATION_EXAMPLES), len(examples.target))
        mine = newest[self.group.rank :: self.group.size]
        hits = torch.zeros(1, dtype=torch.long, device=self.group.device)
        with torch.no_grad():
            unit = torch.nn.functional.normalize(self.raw, dim=1)
            padded = torch.cat([unit, torch.zeros(1, DIM, device=unit.device)])
            for at in range(0, len(mine), 512):
                inputs, targets = gather(held, examples, mine[at : at + 512], self.task.items)
                inputs, targets = Inputs(*(part.to(unit.device) for part in inputs)), targets.to(unit.device)
                scores = encode(self.weights, padded[inputs.rows], inputs) @ unit.T
                hits += ((scores > scores.gather(1, targets[:, None])).sum(1) < 20).sum()
        return float(self.group.sum(hits)) / max(1, len(newest))

    def _best(self) -> int:
        return self.hr20s.index(max(self.hr20s)) + 1

    def _stopped(self) -> bool:
        return len(self.hr20s) > 0 and len(self.hr20s) - self._best() >= self.task.patience

    def _report(self, iteration: float, loss: float | None) -> None:
        if self.group.rank == 0:
            report(
                phase=self.task.phase,
                iteration=iteration,
                iterations=self.task.iterations,
                loss=loss,
                hr20=self.hr20s[-1] if self.hr20s else None,
            )

    def _state(self) -> dict[str, Tensor]:
        state = {"raw": self.raw, "raw.m": self.adam.m, "raw.v": self.adam.v, "raw.last": self.adam.last}
        for name, value in self.weights.items():
            state |= {name: value.detach(), f"{name}.m": self.moments[name][0], f"{name}.v": self.moments[name][1]}
        return state

    def _save(self) -> None:
        if self.group.rank != 0:
            return
        notes = json.dumps({"key": self.key, "losses": self.losses, "hr20s": self.hr20s}).encode()
        tensors = {name: value.cpu().numpy() for name, value in self._state().items()}
        files.write_tensors(self.task.checkpoint, tensors | {"notes": np.frombuffer(notes, np.uint8)})

    def _resume(self) -> None:
        """Goes on from the checkpoint of this very training, if there is one that every process sees."""
        tensors, notes = None, None
        if files.exists(self.task.checkpoint):
            tensors = files.read_tensors(self.task.checkpoint)
            notes = json.loads(tensors["notes"].tobytes())
        usable = torch.tensor([1 if notes is not None and notes["key"] == self.key else 0], device=self.group.device)
        if int(self.group.sum(usable)) < self.group.size or tensors is None or notes is None:
            return
        with torch.no_grad():
            for name, value in self._state().items():
                value.copy_(torch.from_numpy(tensors[name].copy()))
        self.losses, self.hr20s = notes["losses"], notes["hr20s"]

    def _result(self) -> dict[str, np.ndarray[Any, Any]]:
        """Factors and the encoder's weights, named as in docs/artifact-format.md."""
        length = self.task.history_length
        weights = {name: value.detach().cpu().numpy() for name, value in self.weights.items()}
        seen = np.isin(np.arange(SHAPES["strength"][0]), np.unique(self.visits.kinds))
        # A kind that never occurred weighs like a click.
        weights["strength"] = np.where(seen, weights["strength"], weights["strength"][0]).astype(np.float32)
        weights["position"] = weights["position"][-length:]
        factors = torch.nn.functional.normalize(self.raw, dim=1).cpu().numpy()
        return {"factors": factors} | {f"enc.{name}": value for name, value in weights.items()}


__all__ = ["Examples", "Task", "train_encoder"]
