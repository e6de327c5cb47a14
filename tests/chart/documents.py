#!/usr/bin/env python3
"""What the documents tell to paste, and docker-compose.yml: documents.py PROGRAM."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from release import CHART, ROOT, known_variables

SECRET = "a secret of at least thirty-two bytes for these documents"


def blocks(file, language):
    text = (ROOT / file).read_text()
    return re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def judged(program, documents):
    """What `uitsmijter check` says of these as they would be in production."""
    with tempfile.TemporaryDirectory() as folder:
        for number, document in enumerate(documents):
            values = document.get("config") or document["spec"]
            # Files cannot name Secrets of a cluster; everything else is judged alike.
            if values.pop("secretRef", None):
                values["secret"] = SECRET
            kind = "Clients" if "ident" in values else "Tenants"
            place = Path(folder) / "Resources/Configurations" / kind
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.yaml").write_text(yaml.safe_dump(document))
        environment = {"PATH": os.environ["PATH"], "ENVIRONMENT": "production", "DIRECTORY": folder,
                       "STORE_PATH": f"{folder}/store", "SIGNING_KEY_SECRET": SECRET, "JWT_ALGORITHM": "RS256"}
        result = subprocess.run([program, "check"], capture_output=True, text=True, env=environment)
        return result.returncode, result.stdout + result.stderr


def examples_are_served_as_they_are_pasted(program):
    for file, least in [("README.md", 4), ("docs/operations.md", 2)]:
        documents = [document for _, text in blocks(file, "yaml") for document in yaml.safe_load_all(text)]
        documents = [each for each in documents if "config" in each or each.get("kind") in ("Tenant", "Client")]
        assert len(documents) >= least, f"{file} has fewer examples than that: {len(documents)}"
        # Of two tenants that are called alike, the later is another example; README has a script in the second.
        for tenant in [each for each in documents if "hosts" in (each.get("config") or each["spec"])]:
            metadata = tenant.get("metadata")
            name = f'{metadata["namespace"]}/{metadata["name"]}' if metadata else tenant["name"]
            clients = [each for each in documents if (each.get("config") or each["spec"]).get("tenantname") == name]
            code, said = judged(program, [tenant, *clients])
            assert code == 0 and "errors: 0" in said, f"{file}, tenant {name}:\n{said}"
    broken = {"name": "broken", "config": {"hosts": ["a.example.com"], "providers": ["class UserLoginProvider { ... }"]}}
    assert judged(program, [broken])[0] == 1, "check does not look into scripts, so this proves nothing"


def values_in_the_documents_are_those_of_the_chart():
    """The `--set` of each block are rendered together; the schema refuses what is not there."""
    commands = []
    for file in ("README.md", "docs/operations.md"):
        for _, text in blocks(file, "sh"):
            commands.append(re.findall(r"--set '?([^\s']+)'?", text.replace('"$NEW"', "another")))
    assert any(commands), "no document sets a value any more"
    for options in filter(None, commands):
        values = [word for option in options for word in ("--set", option)]
        subprocess.run(["helm", "template", "login", str(CHART), "--kube-version", "1.36.0", *values], check=True, capture_output=True)


def shell_examples_can_be_parsed():
    for file in ("README.md", "docs/operations.md", "CONTRIBUTING.md"):
        for _, text in blocks(file, "sh"):
            result = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
            assert result.returncode == 0, f"{file}: {result.stderr}\n{text}"


def the_try_out_names_what_is_there():
    """docker-compose.yml: its names, its ports, and the variables that the program reads."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = compose["services"]
    for name, service in services.items():
        assert ("image" in service) != ("build" in service), f"{name} has an image, or is built"
        assert service.get("depends_on", {}).keys() <= services.keys(), name
        for other, how in service.get("depends_on", {}).items():
            built = (ROOT / services[other].get("build", ".") / "Dockerfile").read_text() if "build" in services[other] else ""
            healthy = "healthcheck" in services[other] or "HEALTHCHECK" in built
            assert how["condition"] != "service_healthy" or healthy, f"{other} never says that it is healthy"
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith("./") or source in compose["volumes"], f"{name}: {volume}"
        assert {each["source"] for each in service.get("configs", [])} <= compose["configs"].keys(), name
    server = services["uitsmijter"]["environment"]
    assert server.keys() <= known_variables(), f"the server reads no such variables: {server.keys() - known_variables()}"
    assert server["REDIS_HOST"] in services
    port = server["LISTEN"].rpartition(":")[2]
    routes = yaml.safe_load(compose["configs"]["routes"]["content"])["http"]
    for router in routes["routers"].values():
        urls = [each["url"] for each in routes["services"][router["service"]]["loadBalancer"]["servers"]]
        assert urls == [f"http://uitsmijter:{port}"], urls
    entry = next(each for each in services["traefik"]["command"] if each.startswith("--entryPoints.web.address=:"))
    assert services["traefik"]["ports"] == [f'127.0.0.1:8080:{entry.rpartition(":")[2]}']
    assert server["PUBLIC_DOMAIN"] == "localhost:8080", "where a browser finds it"
    grace = int(services["uitsmijter"]["stop_grace_period"].removesuffix("s"))
    drain = re.search(r"DRAIN: Duration = Duration::from_secs\((\d+)\)", (ROOT / "src/server/mod.rs").read_text())
    assert grace > int(drain[1]), "the engine would kill a server that drains"
    chart = yaml.safe_load((CHART / "values.yaml").read_text())["redis"]["image"]
    assert services["redis"]["image"] == f'{chart["repository"]}:{chart["tag"]}', "the same Redis as in the chart"


def the_image_runs_as_its_documents_say():
    """Dockerfile: whatever is pasted beside it."""
    text = (ROOT / "Dockerfile").read_text()
    variables = set(re.findall(r"^(?:ENV)?\s+([A-Z_]+)=", text.rpartition("\nFROM ")[2], re.MULTILINE))
    assert variables and variables <= known_variables(), variables
    assert "USER 65532:65532" in text


def main():
    program = sys.argv[1]
    examples_are_served_as_they_are_pasted(program)
    values_in_the_documents_are_those_of_the_chart()
    shell_examples_can_be_parsed()
    the_try_out_names_what_is_there()
    the_image_runs_as_its_documents_say()
    print("chart: what the documents tell to paste works, and docker-compose.yml names what is there")


if __name__ == "__main__":
    main()
