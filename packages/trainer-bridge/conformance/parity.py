"""Reads an artifact with other people's libraries and reproduces its golden vectors.

Usage: parity.py FOLDER, where FOLDER has the artifact's files and cases.json. Prints the largest differences as JSON;
exits with 1 and a sentence when something is not as docs/artifact-format.md says.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors import safe_open
from safetensors.numpy import load_file

folder = Path(sys.argv[1])


def check(condition, message):
    if not condition:
        print(message, file=sys.stderr)
        sys.exit(1)


def graph(name):
    model = onnx.load(folder / f"{name}.onnx")
    onnx.checker.check_model(model, full_check=True)
    check(model.ir_version == 8, f"{name}: ir_version {model.ir_version}, expected 8")
    opsets = [(entry.domain, entry.version) for entry in model.opset_import]
    check(opsets == [("", 17)], f"{name}: opsets {opsets}, expected 17")
    return onnxruntime.InferenceSession(folder / f"{name}.onnx", providers=["CPUExecutionProvider"])


def encode_numpy(w, history, kind, age, mask):
    """The equations of docs/artifact-format.md, in double precision."""
    x = history + w["enc.position"]
    last = history[-1]
    u = x @ w["enc.w1"].T + w["enc.w2"] @ last + w["enc.bias"]
    a = (1 / (1 + np.exp(-u))) @ w["enc.v"]
    weight = mask * w["enc.strength"][kind] * np.exp(-w["enc.decay"][0] * age) * a
    h = w["enc.w3"] @ np.concatenate([weight @ x, last])
    return h / max(np.linalg.norm(h), 1e-12)


def score_numpy(w, query, candidates, features, context):
    cosine = candidates @ query
    n = len(candidates)
    raw = np.column_stack([cosine, cosine - cosine.max(), features, np.tile(context, (n, 1))])
    z = (raw - w["rank.mean"]) * w["rank.inverse_std"]
    hidden = np.maximum(z @ w["rank.hidden"].T + w["rank.hidden_bias"], 0)
    return z @ w["rank.linear"] + hidden @ w["rank.out"]


factors = load_file(folder / "factors.safetensors")
tables = load_file(folder / "tables.safetensors")
weights = {name: tensor.astype(np.float64) for name, tensor in load_file(folder / "weights.safetensors").items()}
ids = json.loads((folder / "items.json").read_text())["ids"]
golden = json.loads((folder / "golden.json").read_text())
cases = json.loads((folder / "cases.json").read_text())
row_of = {item: row for row, item in enumerate(ids)}
E = factors["factors"]
n, d = E.shape
length = weights["enc.position"].shape[0]

check(E.dtype == np.float32 and len(ids) == n, f"factors: {E.dtype} {E.shape} for {len(ids)} ids")
check(np.allclose(np.linalg.norm(E, axis=1), 1, atol=1e-5), "factors: rows are not of unit length")
restored = factors["scales"][:, None] * factors["quantized"].astype(np.float32)
quantisation = float(np.abs(restored - E).max())
check(quantisation <= 0.5 * float(factors["scales"].max()) + 1e-6, f"quantized: off by {quantisation}")
k = tables["sr_items"].shape[1]
for name, dtype, shape in [
    ("sr_items", np.uint32, (n, k)),
    ("sr_scores", np.uint8, (n, k)),
    ("sr_scales", np.float32, (n,)),
    ("sr_sums", np.float32, (n,)),
    ("popularity", np.float32, (n,)),
    ("trend", np.float32, (n,)),
]:
    check(tables[name].dtype == dtype and tables[name].shape == shape, f"{name}: {tables[name].dtype} {tables[name].shape}")
absent = tables["sr_items"] == 0xFFFFFFFF
check(((tables["sr_scores"] == 0) == absent).all(), "sr_scores: a neighbour without a score, or a score without one")
check((np.diff(absent.astype(int), axis=1) >= 0).all(), "sr_items: an absent neighbour before a present one")
check((np.diff(tables["sr_scores"].astype(int), axis=1) <= 0).all(), "sr_scores: not falling")
for name in ["factors", "tables", "weights"]:
    with open(folder / f"{name}.safetensors", "rb") as file:
        header = int.from_bytes(file.read(8), "little")
    check((8 + header) % 64 == 0, f"{name}: data starts at {8 + header}, expected a multiple of 64")
    with safe_open(folder / f"{name}.safetensors", framework="numpy") as file:
        check(len(list(file.keys())) > 0, f"{name}: empty")

encoder = graph("encoder")
ranker = graph("ranker")


def encoder_input(items, kinds, ages):
    steps = min(len(items), length)
    history = np.zeros((length, d), np.float32)
    kind = np.zeros(length, np.int64)
    age = np.zeros(length, np.float32)
    mask = np.zeros(length, np.float32)
    history[length - steps :] = E[[row_of[item] for item in items[-steps:]]]
    kind[length - steps :] = kinds[-steps:]
    age[length - steps :] = ages[-steps:]
    mask[length - steps :] = 1
    return history, kind, age, mask


def encode_ort(history, kind, age, mask):
    feeds = {"history": history[None], "kind": kind[None], "age": age[None], "mask": mask[None]}
    return encoder.run(["query"], feeds)[0][0]


def score_ort(query, candidates, features, context):
    feeds = {"query": query[None], "candidates": candidates, "features": features, "context": context[None]}
    return ranker.run(["scores"], {name: value.astype(np.float32) for name, value in feeds.items()})[0]


worst = {"encoder_ort": 0.0, "encoder_numpy": 0.0, "ranker_ort": 0.0, "ranker_numpy": 0.0}


def compare(name, received, expected):
    expected = np.asarray(expected)
    check(received.shape == expected.shape, f"{name}: shape {received.shape}, expected {expected.shape}")
    worst[name] = max(worst[name], float((np.abs(received - expected) / np.maximum(1, np.abs(expected))).max()))


for vector in golden["encoder"]:
    inputs = encoder_input(vector["items"], vector["kinds"], vector["ages"])
    compare("encoder_ort", encode_ort(*inputs), vector["query"])
    compare("encoder_numpy", encode_numpy(weights, *inputs), vector["query"])

for vector in golden["ranker"]:
    zeros = [0] * len(vector["items"])
    inputs = encoder_input(vector["items"], zeros, zeros)
    rest = (E[[row_of[item] for item in vector["candidates"]]], np.array(vector["features"]), np.array(vector["context"]))
    compare("ranker_ort", score_ort(encode_ort(*inputs), *rest), vector["scores"])
    compare("ranker_numpy", score_numpy(weights, encode_numpy(weights, *inputs), *rest), vector["scores"])

# Whole lists: candidates and features as core found them, everything else from the files.
different = 0
for case in cases:
    inputs = encoder_input(case["items"], case["kinds"], case["ages"])
    rest = (E[[row_of[item] for item in case["candidates"]]], np.array(case["features"]), np.array(case["context"]))
    for scores in [
        score_ort(encode_ort(*inputs), *rest),
        score_numpy(weights, encode_numpy(weights, *inputs), *rest),
    ]:
        order = np.lexsort((np.arange(len(scores)), -scores))
        top = [case["candidates"][place] for place in order[: len(case["top"])]]
        different += top != case["top"]

print(
    json.dumps(
        {
            **worst,
            "different_lists": different,
            "lists": 2 * len(cases),
            "golden": [len(golden[name]) for name in ["encoder", "ranker", "rank"]],
        }
    )
)
