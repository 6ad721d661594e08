"""Holds Kubernetes manifests against the schemas of several releases, and against those of custom resources.

Standard input: {documents: {name: yaml}, versions: {name: [release, …]}, custom: [{apiVersion, kind, schema}, …]}.
Standard output: {name: {objects: […], problems: [text, …]}}.
"""

import functools
import json
import re
import sys

import jsonschema
import yaml
from kubernetes_validate import utils
from referencing import Registry, Resource


@functools.lru_cache(maxsize=None)
def definitions(release: str) -> Registry:
    contents = utils.schema_contents(f"kubernetes-json-schema/{folder(release)}/_definitions.json", release)
    return Resource.from_contents(contents) @ Registry()


@functools.lru_cache(maxsize=None)
def validator(release: str, api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    # As kubernetes_validate.validate does it with strict=True, but each schema is read once.
    short = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    name = f"kubernetes-json-schema/{folder(release)}/{kind.lower()}-{short}.json"
    schema = Resource.from_contents(utils.schema_contents(name, release))
    return jsonschema.Draft202012Validator(schema.contents, registry=schema @ definitions(release))


@functools.lru_cache(maxsize=None)
def folder(release: str) -> str:
    exact = [version for version in utils.all_versions() if utils.major_minor(version) == release]
    if not exact:
        raise ValueError(f"no schemas of Kubernetes {release}")
    return f"v{exact[-1]}-local-strict"


def closed(schema: object) -> object:
    """A custom resource's schema that refuses what an API server would silently drop."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string") is True:
        result.pop("type", None)
        result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if is_object and schema.get("x-kubernetes-preserve-unknown-fields") is not True:
        result.setdefault("additionalProperties", False)
    return result


def main() -> None:
    request = json.load(sys.stdin)
    custom = {
        (entry["apiVersion"], entry["kind"]): jsonschema.Draft202012Validator(closed(entry["schema"]))
        for entry in request["custom"]
    }
    answer = {}
    for name, text in request["documents"].items():
        objects = [found for found in yaml.safe_load_all(text) if found is not None]
        problems = [
            problem
            for found in objects
            for problem in problems_of(found, request["versions"][name], custom)
        ]
        answer[name] = {"objects": objects, "problems": problems}
    json.dump(answer, sys.stdout)


def problems_of(found: dict, releases: list[str], custom: dict) -> list[str]:
    api_version, kind = str(found.get("apiVersion")), str(found.get("kind"))
    label = f"{kind}/{found.get('metadata', {}).get('name')}"
    own = custom.get((api_version, kind))
    if own is not None:
        return [f"{label}: {describe(error)}" for error in own.iter_errors(found)]
    problems = []
    for release in releases:
        try:
            checks = validator(release, api_version, kind)
        except FileNotFoundError:
            problems.append(f"{label}: Kubernetes {release} has no {kind} of {api_version}")
            continue
        problems += [f"{label}: Kubernetes {release}: {describe(error)}" for error in checks.iter_errors(found)]
    return problems


def describe(error: jsonschema.ValidationError) -> str:
    # The most telling of the alternatives that all failed.
    best = jsonschema.exceptions.best_match([error])
    return f"{'.'.join(str(part) for part in best.absolute_path) or '(top)'}: {best.message[:200]}"


main()
