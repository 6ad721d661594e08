"""Reads what an edge exports with the official decoders: OpenTelemetry's protobuf messages, Prometheus's text parser."""

import base64
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

ID_BYTES = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def ids(value, convert):
    """OTLP's JSON writes ids in hex where protobuf's JSON writes base64: the one difference between the two."""
    if isinstance(value, list):
        return [ids(entry, convert) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        name: convert(name, entry) if name in ID_BYTES else ids(entry, convert)
        for name, entry in value.items()
    }


def to_base64(name, text):
    raw = bytes.fromhex(text)
    if len(raw) != ID_BYTES[name] or not any(raw):
        raise ValueError(f"{name}: expected {ID_BYTES[name]} bytes that are not all zero, received {text!r}")
    return base64.b64encode(raw).decode()


def decode(body, message):
    """Unknown names and wrong types are errors; what comes back went through the binary form."""
    request = json_format.ParseDict(ids(json.loads(body), to_base64), message())
    again = message.FromString(request.SerializeToString())
    return ids(json_format.MessageToDict(again), lambda _, text: base64.b64decode(text).hex())


def families(text):
    return [
        {
            "name": family.name,
            "type": family.type,
            "help": family.documentation,
            "samples": [[sample.name, sample.labels, sample.value] for sample in family.samples],
        }
        for family in text_string_to_metric_families(text)
    ]


given = json.load(sys.stdin)
print(
    json.dumps(
        {
            "traces": [decode(body, ExportTraceServiceRequest) for body in given.get("traces", [])],
            "metrics": [decode(body, ExportMetricsServiceRequest) for body in given.get("metrics", [])],
            "prometheus": families(given.get("prometheus", "")),
        }
    )
)
