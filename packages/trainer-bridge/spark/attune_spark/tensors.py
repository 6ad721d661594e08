"""Tensor files as docs/artifact-format.md wants them: safetensors, header padded so that data starts on 64 bytes."""

from __future__ import annotations

import json

import numpy as np

from attune_spark.data import Array

_NAMES = {"float32": "F32", "int8": "I8", "uint8": "U8", "uint32": "U32"}


def write_safetensors(tensors: dict[str, Array]) -> bytes:
    """Tensors in order of falling element size, then of name; the header padded with spaces."""
    ordered = sorted(tensors.items(), key=lambda entry: (-entry[1].dtype.itemsize, entry[0]))
    header, at = {}, 0
    for name, values in ordered:
        header[name] = {
            "dtype": _NAMES[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [at, at + values.nbytes],
        }
        at += values.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    data = b"".join(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes() for _, values in ordered)
    return len(text).to_bytes(8, "little") + text + data


def quantize_rows(factors: Array) -> tuple[Array, Array]:
    """packages/core/src/artifact/quantize.ts: int8 with one scale a row. @returns quantised factors and scales"""
    largest = np.abs(factors).max(1).astype(np.float64)
    scales = largest / 127
    ratio = np.divide(factors, scales[:, None], out=np.zeros(factors.shape), where=scales[:, None] > 0)
    return np.floor(ratio + 0.5).astype(np.int8), scales.astype(np.float32)
