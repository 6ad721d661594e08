"""encoder.onnx and ranker.onnx of docs/artifact-format.md; the twins of packages/trainer-bridge/src/train/onnx.ts."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from attune_spark.data import Array
from attune_spark.features import CONTEXT, FEATURES

OPSET, IR_VERSION = 17, 8


def encoder_graph(w: dict[str, Array]) -> bytes:
    length, d = w["enc.position"].shape
    return _model(
        "attune-encoder",
        inputs=[
            ("history", TensorProto.FLOAT, [1, length, d]),
            ("kind", TensorProto.INT64, [1, length]),
            ("age", TensorProto.FLOAT, [1, length]),
            ("mask", TensorProto.FLOAT, [1, length]),
        ],
        output=("query", [1, d]),
        constants={
            "position": w["enc.position"],
            "w1": w["enc.w1"].T,
            "w2": w["enc.w2"].T,
            "bias": w["enc.bias"],
            "v": w["enc.v"][:, None],
            "w3": w["enc.w3"].T,
            "strength": w["enc.strength"],
            "minus_decay": -w["enc.decay"],
            "smallest_norm": np.array([1e-12], np.float32),
            "newest": np.array(length - 1),
            "axis_1": np.array([1]),
            "axis_2": np.array([2]),
        },
        nodes=[
            ("Add", ["history", "position"], "x", {}),
            ("Gather", ["history", "newest"], "last", {"axis": 1}),
            ("MatMul", ["x", "w1"], "w1_x", {}),
            ("MatMul", ["last", "w2"], "w2_last", {}),
            ("Add", ["w2_last", "bias"], "gate_flat", {}),
            ("Unsqueeze", ["gate_flat", "axis_1"], "gate", {}),
            ("Add", ["w1_x", "gate"], "u", {}),
            ("Sigmoid", ["u"], "sigmoid_u", {}),
            ("MatMul", ["sigmoid_u", "v"], "attention_column", {}),
            ("Squeeze", ["attention_column", "axis_2"], "attention", {}),
            ("Gather", ["strength", "kind"], "step_strength", {"axis": 0}),
            ("Mul", ["mask", "step_strength"], "masked_strength", {}),
            ("Mul", ["age", "minus_decay"], "minus_decayed_age", {}),
            ("Exp", ["minus_decayed_age"], "freshness", {}),
            ("Mul", ["masked_strength", "freshness"], "step_weight", {}),
            ("Mul", ["step_weight", "attention"], "w", {}),
            ("Unsqueeze", ["w", "axis_1"], "w_row", {}),
            ("MatMul", ["w_row", "x"], "pooled_row", {}),
            ("Squeeze", ["pooled_row", "axis_1"], "pooled", {}),
            ("Concat", ["pooled", "last"], "pooled_and_last", {"axis": 1}),
            ("MatMul", ["pooled_and_last", "w3"], "h", {}),
            ("ReduceL2", ["h"], "norm", {"axes": [1], "keepdims": 1}),
            ("Max", ["norm", "smallest_norm"], "safe_norm", {}),
            ("Div", ["h", "safe_norm"], "query", {}),
        ],
    )


def ranker_graph(w: dict[str, Array], dim: int) -> bytes:
    return _model(
        "attune-ranker",
        inputs=[
            ("query", TensorProto.FLOAT, [1, dim]),
            ("candidates", TensorProto.FLOAT, ["n", dim]),
            ("features", TensorProto.FLOAT, ["n", FEATURES]),
            ("context", TensorProto.FLOAT, [1, CONTEXT]),
        ],
        output=("scores", ["n"]),
        constants={
            "mean": w["rank.mean"],
            "inverse_std": w["rank.inverse_std"],
            "linear": w["rank.linear"][:, None],
            "hidden": w["rank.hidden"].T,
            "hidden_bias": w["rank.hidden_bias"],
            "out": w["rank.out"][:, None],
            "axis_1": np.array([1]),
        },
        nodes=[
            ("Transpose", ["query"], "query_column", {"perm": [1, 0]}),
            ("MatMul", ["candidates", "query_column"], "cosine", {}),
            ("ReduceMax", ["cosine"], "best", {"axes": [0], "keepdims": 1}),
            ("Sub", ["cosine", "best"], "gap", {}),
            ("Shape", ["cosine"], "column_shape", {}),
            ("Expand", ["context", "column_shape"], "context_rows", {}),
            ("Concat", ["cosine", "gap", "features", "context_rows"], "raw", {"axis": 1}),
            ("Sub", ["raw", "mean"], "centred", {}),
            ("Mul", ["centred", "inverse_std"], "z", {}),
            ("MatMul", ["z", "linear"], "linear_score", {}),
            ("MatMul", ["z", "hidden"], "hidden_raw", {}),
            ("Add", ["hidden_raw", "hidden_bias"], "hidden_biased", {}),
            ("Relu", ["hidden_biased"], "hidden_active", {}),
            ("MatMul", ["hidden_active", "out"], "hidden_score", {}),
            ("Add", ["linear_score", "hidden_score"], "score_column", {}),
            ("Squeeze", ["score_column", "axis_1"], "scores", {}),
        ],
    )


def _model(
    name: str,
    inputs: list[tuple[str, int, list[Any]]],
    output: tuple[str, list[Any]],
    constants: dict[str, Array],
    nodes: list[tuple[str, list[str], str, dict[str, Any]]],
) -> bytes:
    graph = helper.make_graph(
        [helper.make_node(kind, given, [result], name=result, **attributes) for kind, given, result, attributes in nodes],
        name,
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])],
        [numpy_helper.from_array(values.copy(order="C"), constant) for constant, values in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="attune-spark"
    )
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
