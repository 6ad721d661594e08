"""The query encoder of docs/artifact-format.md and its training: the twin of packages/trainer-bridge/src/train, in PyTorch."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from attune_spark.data import Examples, Visits
from attune_spark.history import HISTORY_KINDS

DIM = 64
TEMPERATURE = 0.07
DROPOUT = 0.2
NEGATIVE_POWER = 0.5
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
# Examples a batch is cut into. Random numbers belong to a shard, so the result is the same for 1 to 8 processes.
SHARDS = 8

# Names and shapes of docs/artifact-format.md; positions of the longest history.
SHAPES: dict[str, tuple[int, ...]] = {
    "position": (16, DIM),
    "w1": (DIM, DIM),
    "w2": (DIM, DIM),
    "bias": (DIM,),
    "v": (DIM,),
    "w3": (DIM, 2 * DIM),
    "strength": (len(HISTORY_KINDS),),
    "decay": (1,),
}


def initial_weights(generator: torch.Generator) -> dict[str, Tensor]:
    """Matrices uniform within ±1/√fan-in, positions zero, all kinds equally strong."""
    weights = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    for name in ("w1", "w2", "v", "w3"):
        weights[name].uniform_(-1, 1, generator=generator).div_(math.sqrt(SHAPES[name][-1]))
    weights["strength"].fill_(1)
    return weights


class Inputs(NamedTuple):
    """A batch, right aligned, padded at the left with the index of a row of zeros. B examples, L steps."""

    rows: Tensor  # [B, L]
    kinds: Tensor  # [B, L]
    ages: Tensor  # [B, L] hours before the newest step
    mask: Tensor  # [B, L]


def encode(weights: dict[str, Tensor], steps: Tensor, inputs: Inputs) -> Tensor:
    """@param steps: [B, L, d], factors of the steps. @returns queries [B, d] of unit length"""
    length = steps.shape[1]
    x = steps + weights["position"][-length:]
    last = steps[:, -1]
    gate = last @ weights["w2"].T + weights["bias"]
    attention = torch.sigmoid(x @ weights["w1"].T + gate[:, None]) @ weights["v"]
    weight = inputs.mask * weights["strength"][inputs.kinds] * torch.exp(-weights["decay"] * inputs.ages) * attention
    pooled = (weight[:, :, None] * x).sum(1)
    return torch.nn.functional.normalize(torch.cat([pooled, last], 1) @ weights["w3"].T, dim=1)


def gather(visits: Visits, examples: Examples, chosen: np.ndarray[Any, Any], padding: int) -> tuple[Inputs, Tensor]:
    """Histories and targets of the chosen examples; as wide as the longest of them."""
    target, start = examples.target[chosen], examples.start[chosen]
    lengths = target - start
    length = int(lengths.max())
    places = target[:, None] - np.arange(length, 0, -1)
    known = places >= start[:, None]
    places = np.maximum(places, 0)
    ages = (visits.times[target - 1][:, None] - visits.times[places]) / 3_600_000
    rows = np.where(known, visits.rows[places], padding)
    return (
        Inputs(
            torch.from_numpy(rows.astype(np.int64)),
            torch.from_numpy(np.where(known, visits.kinds[places], 0).astype(np.int64)),
            torch.from_numpy(np.where(known, np.maximum(ages, 0), 0).astype(np.float32)),
            torch.from_numpy(known.astype(np.float32)),
        ),
        torch.from_numpy(visits.rows[target].astype(np.int64)),
    )


class Negatives:
    """Shared by a batch: drawn by (clicks + 1)^0.5, repeated ones merged."""

    def __init__(self, visits: Visits, items: int, count: int) -> None:
        weight = (np.bincount(visits.rows, minlength=items) + 1.0) ** NEGATIVE_POWER
        self.cumulative = np.cumsum(weight / weight.sum())
        self.log_share = torch.from_numpy(np.log(weight / weight.sum() * items)).float()
        self.count = count

    def draw(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """@returns rows and what to add to their logits: log-Q correction and how often each was drawn"""
        drawn = np.minimum(len(self.cumulative) - 1, np.searchsorted(self.cumulative, random.random(self.count)))
        rows, repeats = np.unique(drawn, return_counts=True)
        row = torch.from_numpy(rows.astype(np.int64))
        return row, torch.from_numpy(np.log(repeats)).float() - self.log_share[row]


def softmax_loss(
    queries: Tensor, positives: Tensor, targets: Tensor, negatives: Tensor, drawn: Tensor, bias: Tensor, own: Tensor
) -> Tensor:
    """
    Sum over the batch of −log softmax of the target among the shared negatives, which are never the target itself.

    @param positives: [B, d] factors of the targets; `own` [B] their log-Q correction
    @param negatives: [M, d] factors of the rows `drawn` [M]; `bias` [M] as `Negatives.draw` gives it
    """
    positive = (queries * positives).sum(1) / TEMPERATURE + own
    others = queries @ negatives.T / TEMPERATURE + bias
    others = others.masked_fill(drawn[None] == targets[:, None], -1e9)
    logits = torch.cat([positive[:, None], others], 1)
    return torch.nn.functional.cross_entropy(
        logits, torch.zeros(len(targets), dtype=torch.long, device=logits.device), reduction="sum"
    )


def one_cycle(steps: int, peak: float) -> np.ndarray[Any, Any]:
    """[steps + 1]: rate of step t, counted from 1; packages/trainer-bridge/src/train/schedule.ts."""
    rise = max(1.0, 0.1 * steps - 1)
    fall = max(1.0, steps - 1 - rise)

    def cosine(start: float, end: float, share: float) -> float:
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))

    rates = np.zeros(steps + 1)
    for step in range(steps):
        rates[step + 1] = (
            cosine(peak / 25, peak, step / rise)
            if step <= rise
            else cosine(peak, peak / 25 / 1e4, min(1.0, (step - rise) / fall))
        )
    return rates


class RowAdam:
    """
    Adam over rows of a matrix at the cost of the rows of a batch. Dense Adam moves rows without a gradient too while their
    momentum lasts: a row catches up when it is next used, a geometric sum with ratio β₁/√β₂, so the result is dense Adam's.
    """

    def __init__(self, rates: np.ndarray[Any, Any], rows: int, device: torch.device) -> None:
        steps = len(rates) - 1
        t = np.arange(1, steps + 1)
        root = np.sqrt(1 - BETA2**t)
        self.rates = np.concatenate([[0], rates[1:] * root / (1 - BETA1**t)])
        self.epsilons = np.concatenate([[0], EPSILON * root])
        ratio = BETA1 / math.sqrt(BETA2)
        ahead = np.zeros(steps + 2)
        for step in range(steps - 1, -1, -1):
            ahead[step] = ratio * (self.rates[step + 1] + ahead[step + 1])
        self.ahead = torch.from_numpy(ahead).to(device)
        self.log_ratio = math.log(ratio)
        self.m = torch.zeros(rows, DIM, device=device)
        self.v = torch.zeros(rows, DIM, device=device)
        self.last = torch.zeros(rows, dtype=torch.long, device=device)

    def caught_up(self, raw: Tensor, rows: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Values and moments of rows as dense Adam has them before `step`; nothing is written."""
        last = self.last[rows]
        missed = torch.where(last == 0, 0, step - 1 - last).clamp_min(0)
        factor = self.ahead[last] - torch.exp(self.log_ratio * missed) * self.ahead[step - 1]
        factor = torch.where(missed > 0, factor, 0.0).float()[:, None]
        m, v = self.m[rows], self.v[rows]
        value = raw[rows] - factor * torch.where(v > 0, m / torch.sqrt(v).clamp_min(1e-30), 0.0)
        decay = missed.double()[:, None]
        return value, m * (BETA1**decay).float(), v * (BETA2**decay).float()

    def update(self, raw: Tensor, rows: Tensor, gradient: Tensor, step: int) -> None:
        value, m, v = self.caught_up(raw, rows, step)
        m = BETA1 * m + (1 - BETA1) * gradient
        v = BETA2 * v + (1 - BETA2) * gradient * gradient
        raw[rows] = value - float(self.rates[step]) * m / (torch.sqrt(v) + float(self.epsilons[step]))
        self.m[rows], self.v[rows], self.last[rows] = m, v, step

    def flush(self, raw: Tensor, step: int) -> None:
        """Brings every row up to the end of `step`."""
        rows = torch.nonzero(self.last > 0)[:, 0]
        value, m, v = self.caught_up(raw, rows, step + 1)
        raw[rows] = value
        self.m[rows], self.v[rows], self.last[rows] = m, v, step
