"""Holds jobs of a Databricks bundle against Databricks' own models: {file: text} on standard input, findings on standard output.

The models of databricks-bundles are generated from the schema that `databricks bundle validate` uses.
"""

import json
import sys
from dataclasses import fields

import yaml
from databricks.bundles.jobs import Job

BUNDLE = {"name"}
VARIABLE = {"description", "default", "type", "lookup"}
TARGET = {"mode", "default", "workspace", "variables", "run_as", "presets", "permissions", "resources"}
WORKSPACE = {"host", "root_path", "file_path", "profile"}
TOP = {"bundle", "include", "sync", "variables", "targets", "workspace", "resources", "permissions", "run_as", "presets"}


def only(value, known, path):
    return [f"{path}.{name}: no such property" for name in value if name not in known]


def top(document):
    """The settings around the jobs, which the package does not model."""
    found = only(document, TOP, "")
    found += only(document.get("bundle", {}), BUNDLE, "bundle")
    found += only(document.get("sync", {}), {"paths", "include", "exclude"}, "sync")
    if document.get("bundle") is not None and "name" not in document["bundle"]:
        found.append("bundle.name: required, and missing")
    for name, variable in document.get("variables", {}).items():
        found += only(variable, VARIABLE, f"variables.{name}")
    for name, target in document.get("targets", {}).items():
        found += only(target, TARGET, f"targets.{name}")
        found += only(target.get("workspace", {}), WORKSPACE, f"targets.{name}.workspace")
        found += only(target.get("run_as", {}), {"user_name", "service_principal_name"}, f"targets.{name}.run_as")
        if target.get("mode") not in (None, "development", "production"):
            found.append(f"targets.{name}.mode: expected development or production, received {target['mode']}")
    return found


def job(name, value):
    try:
        made = Job.from_dict(value)
    except Exception as error:  # noqa: BLE001 - the package raises what it likes; all of it is a finding
        return [f"jobs.{name}: {error}"]
    return [] if {field.name for field in fields(made)} >= set(value) else [f"jobs.{name}: not all of it is known"]


found = []
for file, text in json.load(sys.stdin).items():
    document = yaml.safe_load(text)
    messages = top(document)
    for name, value in document.get("resources", {}).get("jobs", {}).items():
        messages += job(name, value)
    for kind in document.get("resources", {}):
        if kind != "jobs":
            messages.append(f"resources.{kind}: nobody looked at these")
    found += [f"{file}: {message}" for message in messages]
json.dump(found, sys.stdout)
