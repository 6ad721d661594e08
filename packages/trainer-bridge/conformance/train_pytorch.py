"""The same encoder, batch, negatives and rate as src/train, in PyTorch: what the wasm kernels are measured against.

Usage: train_pytorch.py FOLDER, with data.json, rows.u32 and offsets.u32. Prints {"seconds", "cpu_seconds", "hr20", "losses"}.
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

folder = Path(sys.argv[1])
options = json.loads((folder / "data.json").read_text())
n, iterations, threads = options["items"], options["iterations"], options["threads"]
batch_size, negatives, peak, length = options["batch"], options["negatives"], options["peakRate"], options["historyLength"]
torch.set_num_threads(threads)
torch.manual_seed(options["seed"])
random = np.random.default_rng(options["seed"])
D, TEMPERATURE = 64, 0.07


def examples(rows, offsets):
    """History, right aligned and padded with n, and target of every click that has one before it in its visit."""
    start = np.repeat(offsets[:-1], np.diff(offsets))
    at = np.arange(len(rows))
    target = at[at > start]
    places = target[:, None] - np.arange(length, 0, -1)[None]
    known = places >= start[target][:, None]
    return np.where(known, rows[np.maximum(places, 0)], n), rows[target]


rows = np.fromfile(folder / "rows.u32", np.uint32).astype(np.int64)
offsets = np.fromfile(folder / "offsets.u32", np.uint32).astype(np.int64)
cut = options["trainVisits"]
train_history, train_target = examples(rows[: offsets[cut]], offsets[: cut + 1])
held_history, held_target = examples(rows[offsets[cut] :], offsets[cut:] - offsets[cut])
held_history, held_target = held_history[-4096:], held_target[-4096:]

counts = np.bincount(rows[: offsets[cut]], minlength=n)
share = (counts + 1) ** 0.5
share = share / share.sum()
cumulative = np.cumsum(share)
log_share = torch.from_numpy(np.log(share)).float()


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.items = nn.Parameter(torch.randn(n + 1, D) * 0.1)
        self.position = nn.Parameter(torch.zeros(length, D))
        self.w1 = nn.Linear(D, D, bias=False)
        self.w2 = nn.Linear(D, D)
        self.v = nn.Linear(D, 1, bias=False)
        self.w3 = nn.Linear(2 * D, D, bias=False)

    def unit(self, rows):
        """Only rows that are looked at are normalised: all 43,000 would double the time of a step."""
        return nn.functional.normalize(nn.functional.embedding(rows, self.items), dim=-1)

    def forward(self, history):
        e = nn.functional.dropout(self.unit(history), 0.2, self.training)
        last = e[:, -1]
        x = e + self.position[-history.shape[1] :]
        a = self.v(torch.sigmoid(self.w1(x) + self.w2(last)[:, None])) * (history != n)[..., None]
        h = self.w3(torch.cat([(a * x).sum(1), last], 1))
        return nn.functional.normalize(h, dim=1)


def evaluate(model):
    model.eval()
    hits = 0
    with torch.no_grad():
        unit = model.unit(torch.arange(n))
        for at in range(0, len(held_target), 512):
            scores = model(torch.from_numpy(held_history[at : at + 512])) @ unit.T
            target = torch.from_numpy(held_target[at : at + 512])
            rank = (scores > scores.gather(1, target[:, None])).sum(1)
            hits += int((rank < 20).sum())
    model.train()
    return hits / len(held_target)


model = Encoder()
optimizer = torch.optim.Adam(model.parameters(), lr=peak)
batches = math.ceil(len(train_target) / batch_size)
schedule = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, peak, total_steps=iterations * batches, pct_start=0.1, cycle_momentum=False
)
lengths = (train_history != n).sum(1)
started, cpu_started = time.perf_counter(), time.process_time()
losses = []
for iteration in range(iterations):
    # Batches of one length or nearly: padding is what PyTorch would otherwise spend its time on.
    order = np.lexsort((random.random(len(lengths)), lengths))
    chunks = np.array_split(order, np.arange(batch_size, len(order), batch_size))
    total = 0.0
    for number in random.permutation(len(chunks)):
        chunk = chunks[number]
        history = torch.from_numpy(train_history[chunk][:, length - lengths[chunk].max() :])
        target = torch.from_numpy(train_target[chunk])
        drawn, repeats = np.unique(np.minimum(n - 1, np.searchsorted(cumulative, random.random(negatives))), return_counts=True)
        drawn, repeats = torch.from_numpy(drawn), torch.from_numpy(repeats).float()
        query = model(history)
        positive = (query * model.unit(target)).sum(1) / TEMPERATURE - log_share[target]
        others = query @ model.unit(drawn).T / TEMPERATURE - log_share[drawn] + repeats.log()
        others = others.masked_fill(drawn[None] == target[:, None], -1e9)
        loss = nn.functional.cross_entropy(torch.cat([positive[:, None], others], 1), torch.zeros(len(chunk), dtype=torch.long))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item() * len(chunk)
    losses.append(total / len(order))
    hr20 = evaluate(model)
    print(f"PyTorch {iteration + 1}/{iterations}, loss {losses[-1]:.3f}, validation HR@20 {hr20:.3f}", file=sys.stderr, flush=True)
seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "hr20": hr20, "losses": losses}))
