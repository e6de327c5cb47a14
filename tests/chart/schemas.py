#!/usr/bin/env python3
"""Schemas in the form in which kubeconform looks for them: <folder>/v<version>/<kind>-<group>-<version>.json.

schemas.py FOLDER "1.27.0 1.36.0" FOLDER-WITH-CUSTOM-RESOURCE-DEFINITIONS...
"""

import json
import shutil
import sys
from pathlib import Path

import kubernetes_validate
import yaml

# Where the Go modules have them.
DEFINITIONS = [
    "config/crd/standard/*_httproutes.yaml",
    "example/prometheus-operator-crd/*_servicemonitors.yaml",
    "example/prometheus-operator-crd/*_prometheusrules.yaml",
    "docs/content/reference/dynamic-configuration/traefik.io_middlewares.yaml",
]


def of_kubernetes(target, version):
    """The package's own, whose references lead to a server that only the package has."""
    source = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}-local-strict"
    folder = target / f"v{version}"
    folder.mkdir(parents=True)
    for file in source.glob("*.json"):
        schema = json.loads(file.read_text().replace("/api/_definitions.json", "_definitions.json"))
        schema.pop("$id", None)
        (folder / file.name).write_text(json.dumps(schema))


def strict(schema):
    """Refuses what is not named, as the API server warns of it."""
    if isinstance(schema, dict):
        free = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
        if "properties" in schema and not free:
            schema["additionalProperties"] = False
        for inner in schema.values():
            strict(inner)
    elif isinstance(schema, list):
        for inner in schema:
            strict(inner)
    return schema


def of_others(target, versions, folders):
    found = [file for folder in folders for pattern in DEFINITIONS for file in Path(folder).glob(pattern)]
    if len(found) != len(DEFINITIONS):
        sys.exit(f"chart: expected {len(DEFINITIONS)} definitions of custom resources, found {found}")
    definitions = target.parent / "definitions"
    definitions.mkdir(exist_ok=True)
    for file in found:
        # For the API server that tests/cluster starts.
        shutil.copy(file, definitions / file.name)
        spec = yaml.safe_load(file.read_text())["spec"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            schema["properties"]["metadata"] = {"type": "object"}
            name = f'{spec["names"]["kind"].lower()}-{spec["group"].split(".")[0]}-{version["name"]}.json'
            for kubernetes in versions:
                properties = schema["properties"]
                schema = {**schema, "properties": {key: value if key == "metadata" else strict(value)
                                                   for key, value in properties.items()}}
                (target / f"v{kubernetes}" / name).write_text(json.dumps(schema))


def main():
    target, versions, folders = Path(sys.argv[1]), sys.argv[2].split(), sys.argv[3:]
    shutil.rmtree(target, ignore_errors=True)
    for version in versions:
        of_kubernetes(target, version)
    of_others(target, versions, folders)


if __name__ == "__main__":
    main()
