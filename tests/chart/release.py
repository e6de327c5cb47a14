"""What the chart rendered, by kind and name."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/uitsmijter"


class Release(dict):
    """The objects of one rendered file, by kind and name."""

    def __init__(self, file):
        objects = [document for document in yaml.safe_load_all(file.read_text()) if document]
        super().__init__({(each["kind"], each["metadata"]["name"]): each for each in objects})
        assert len(self) == len(objects), f"{file.name}: two objects of one kind and name"

    def pods(self):
        return [each["spec"]["template"] for each in self.values() if each["kind"] in ("Deployment", "StatefulSet")]

    def server_pod(self):
        return self["Deployment", "uitsmijter-authserver"]["spec"]["template"]

    def server(self):
        return self.server_pod()["spec"]

    def environment(self):
        """What the server is told, as far as it stands in the open; secrets as their references."""
        container, variables = self.server()["containers"][0], {}
        for source in container["envFrom"]:
            if "configMapRef" in source:
                variables |= self["ConfigMap", source["configMapRef"]["name"]]["data"]
            else:
                variables["from"] = source["secretRef"]["name"]
        for variable in container["env"]:
            variables[variable["name"]] = variable.get("value", variable.get("valueFrom"))
        return variables


def source(path):
    return (ROOT / "src" / path).read_text()


def known_variables():
    return set(re.findall(r'\(\s*"([A-Z0-9_]+)"', source("settings/environment.rs"))) | {"UITSMIJTER_CONFIG"}
