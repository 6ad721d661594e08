"""Fits the small ranker that blends everything: packages/trainer-bridge/src/train/ranker-fit.ts, in PyTorch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from attune_spark.data import Array
from attune_spark.encoder import TEMPERATURE, one_cycle
from attune_spark.features import CONTEXT, INPUTS, RANKER_INPUT

UNITS = 32
ITERATIONS = 8
BATCH = 128
PEAK_RATE = 6e-3


class Samples(NamedTuple):
    """Candidates of S histories, one after the other; R rows."""

    inputs: Array  # [R, 2 + f]
    context: Array  # [S, c]
    counts: Array  # [S]
    targets: Array  # [S] place among the candidates, -1 where it is not one

    def starts(self) -> Array:
        result: Array = np.cumsum(self.counts) - self.counts
        return result


def cosine_ranker() -> dict[str, Array]:
    """Ranks by the encoder alone: where there was nothing to fit."""
    linear = np.zeros(RANKER_INPUT, np.float32)
    linear[0] = 1 / TEMPERATURE
    return {
        "rank.mean": np.zeros(RANKER_INPUT, np.float32),
        "rank.inverse_std": np.ones(RANKER_INPUT, np.float32),
        "rank.linear": linear,
        "rank.hidden": np.zeros((1, RANKER_INPUT), np.float32),
        "rank.hidden_bias": np.zeros(1, np.float32),
        "rank.out": np.zeros(1, np.float32),
    }


def measure(samples: Samples) -> tuple[Array, Array]:
    """Mean and inverse deviation of every input over all candidates; 0 where an input never changes."""
    total = max(1, int(samples.counts.sum()))
    share = samples.counts[:, None] / total
    mean = np.concatenate([samples.inputs.mean(0, dtype=np.float64), (samples.context * share).sum(0)])
    square = np.concatenate([np.square(samples.inputs, dtype=np.float64).mean(0), (np.square(samples.context) * share).sum(0)])
    variance = square - mean**2
    inverse = np.where(variance > 1e-9, 1 / np.sqrt(np.maximum(variance, 1e-9)), 0)
    return mean.astype(np.float32), inverse.astype(np.float32)


def fit(samples: Samples, chosen: Array, scale: tuple[Array, Array], seed: int) -> dict[str, Array]:
    """Softmax cross-entropy over each history's candidates; histories whose target is none of them are left out."""
    used = chosen[(samples.targets[chosen] >= 0) & (samples.counts[chosen] > 1)]
    if len(used) == 0:
        return cosine_ranker()
    mean, inverse = scale
    inputs = torch.from_numpy(samples.inputs)
    inputs = (inputs - torch.from_numpy(mean[:INPUTS])) * torch.from_numpy(inverse[:INPUTS])
    context = torch.from_numpy(samples.context)
    context = (context - torch.from_numpy(mean[INPUTS:])) * torch.from_numpy(inverse[INPUTS:])
    counts, starts = torch.from_numpy(samples.counts), torch.from_numpy(samples.starts())
    targets = torch.from_numpy(samples.targets)

    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int, fan: int) -> torch.Tensor:
        values = torch.empty(shape).uniform_(-1, 1, generator=generator).div_(fan**0.5)
        values.requires_grad_()
        return values

    hidden, out = uniform(UNITS, RANKER_INPUT, fan=RANKER_INPUT), uniform(UNITS, fan=UNITS)
    bias, linear = torch.zeros(UNITS, requires_grad=True), torch.zeros(RANKER_INPUT, requires_grad=True)
    batches = -(-len(used) // BATCH)
    rates = one_cycle(ITERATIONS * batches, PEAK_RATE)
    adam = torch.optim.Adam([hidden, out, bias, linear], lr=PEAK_RATE)
    for iteration in range(ITERATIONS):
        order = torch.from_numpy(used)[torch.randperm(len(used), generator=generator)]
        for number in range(batches):
            members = order[number * BATCH : (number + 1) * BATCH]
            sizes = counts[members]
            sample = torch.repeat_interleave(torch.arange(len(members)), sizes)
            within = torch.arange(len(sample)) - (torch.cumsum(sizes, 0) - sizes)[sample]
            z = torch.cat([inputs[starts[members][sample] + within], context[members][sample]], 1)
            scores = z @ linear + torch.relu(z @ hidden.T + bias) @ out
            table = torch.full((len(members), int(sizes.max())), -torch.inf).index_put((sample, within), scores)
            adam.param_groups[0]["lr"] = float(rates[iteration * batches + number + 1])
            adam.zero_grad()
            torch.autograd.backward(torch.nn.functional.cross_entropy(table, targets[members]))
            adam.step()
    return {
        "rank.mean": mean,
        "rank.inverse_std": inverse,
        "rank.linear": linear.detach().numpy(),
        "rank.hidden": hidden.detach().numpy(),
        "rank.hidden_bias": bias.detach().numpy(),
        "rank.out": out.detach().numpy(),
    }


def join_samples(parts: list[Samples]) -> Samples:
    if not parts:
        none: Any = np.zeros(0, np.int64)
        return Samples(np.zeros((0, INPUTS), np.float32), np.zeros((0, CONTEXT), np.float32), none, none)
    return Samples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
