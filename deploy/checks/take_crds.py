"""Takes crds/*.json anew: `python take_crds.py SOURCE FILE…` for files of CustomResourceDefinitions; SOURCE names where they are from.

Descriptions are left out. Run by hand, and prettier after it.
"""

import json
import pathlib
import sys

import yaml

TARGET = pathlib.Path(__file__).parent / "crds"


def bare(schema: object) -> object:
    if isinstance(schema, dict):
        return {
            key: bare(value)
            for key, value in schema.items()
            if not (key == "description" and isinstance(value, str))
        }
    return [bare(item) for item in schema] if isinstance(schema, list) else schema


source, *files = sys.argv[1:]
for file in files:
    crd = yaml.safe_load(pathlib.Path(file).read_text())
    spec = crd["spec"]
    for version in spec["versions"]:
        kind, group = spec["names"]["kind"], spec["group"]
        name = f"{group}_{version['name']}_{kind}".lower()
        entry = {
            "source": source,
            "apiVersion": f"{group}/{version['name']}",
            "kind": kind,
            "schema": bare(version["schema"]["openAPIV3Schema"]),
        }
        TARGET.mkdir(exist_ok=True)
        (TARGET / f"{name}.json").write_text(json.dumps(entry, indent=1) + "\n")
