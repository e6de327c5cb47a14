"""What refers to something else in the rendered chart, and whether it is there: names, ports, labels."""

POD_KINDS = ("Deployment", "StatefulSet")


def containers(pod):
    return pod["spec"].get("initContainers", []) + pod["spec"]["containers"]


def chosen(release, selector):
    """The pods that have these labels."""
    return [pod for pod in release.pods() if selector.items() <= pod["metadata"]["labels"].items()]


def every_reference_leads_somewhere(release):
    own = {"my-tenants", "more-tenants", "my-clients", "views", "my-redis"}
    created = ("Secret", "signing-key-secret") in release
    kinds = {"configMapRef": "ConfigMap", "configMap": "ConfigMap", "secretRef": "Secret", "secretKeyRef": "Secret",
             "secret": "Secret"}

    def walk(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key in kinds and isinstance(value, dict):
                    refers(kinds[key], value.get("name") or value.get("secretName"), value.get("key"))
                walk(value)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    def refers(kind, name, key):
        # The certificate of the webhook may be somebody else's.
        brought = kind == "Secret" and (not created or name == "uitsmijter-webhook")
        if not name or name in own or (brought and (kind, name) not in release):
            return
        assert (kind, name) in release, f"{kind} {name} is missing"
        assert not key or key in release[kind, name]["data"], f"{kind} {name} has no {key}"

    walk(release.pods())


def every_service_leads_to_a_port_of_pods(release):
    for (kind, name), each in release.items():
        if kind != "Service":
            continue
        pods = chosen(release, each["spec"]["selector"])
        assert len(pods) == 1, f"Service {name} leads to {len(pods)} sorts of pods"
        names = {port["name"] for container in containers(pods[0]) for port in container.get("ports", [])}
        for port in each["spec"]["ports"]:
            assert port["targetPort"] in names, f'Service {name}: no container has the port {port["targetPort"]}'


def probes_and_mounts_are_of_their_pod(release):
    for pod in release.pods():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        for (kind, _), each in release.items():
            if kind == "StatefulSet" and each["spec"]["template"] is pod:
                volumes |= {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])}
        for container in containers(pod):
            ports = {port["name"] for port in container.get("ports", [])}
            mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
            assert mounts.keys() <= volumes, f'{container["name"]}: {mounts.keys() - volumes} is no volume'
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if "httpGet" in container.get(probe, {}):
                    assert container[probe]["httpGet"]["port"] in ports, f'{container["name"]}: {probe}'
            scripts = [container.get("command", [])] + [
                hook["exec"]["command"] for hook in (container.get("livenessProbe", {}), container.get("readinessProbe", {}),
                                                     container.get("lifecycle", {}).get("preStop", {})) if "exec" in hook]
            for script in [command[1] for command in scripts if command]:
                folder, _, file = script.rpartition("/")
                assert folder in mounts.values(), f"{script} is in no volume"
                assert file in release["ConfigMap", "uitsmijter-redis"]["data"], f"there is no script {file}"


def policies_and_budgets_choose_their_pods(release):
    for (kind, name), each in release.items():
        spec = each.get("spec")
        if kind == "NetworkPolicy":
            pods = chosen(release, spec["podSelector"]["matchLabels"])
            assert len(pods) == 1, f"NetworkPolicy {name} is for {len(pods)} sorts of pods"
            names = {port["name"] for container in containers(pods[0]) for port in container.get("ports", [])}
            for rule in spec["ingress"]:
                ports = {port["port"] for port in rule["ports"] if isinstance(port["port"], str)}
                assert ports <= names, f"NetworkPolicy {name}: {ports - names} is no port"
            for rule in [*spec["ingress"], *spec.get("egress", [])]:
                for peer in rule.get("from", []) + rule.get("to", []):
                    labels = peer.get("podSelector", {}).get("matchLabels")
                    assert not labels or chosen(release, labels), f"NetworkPolicy {name}: nobody is {labels}"
        elif kind == "PodDisruptionBudget":
            assert len(chosen(release, spec["selector"]["matchLabels"])) == 1, f"PodDisruptionBudget {name}"
        elif kind in POD_KINDS:
            template = spec["template"]
            assert chosen(release, spec["selector"]["matchLabels"]) == [template], f"{kind} {name} has other pods"
            constraints = template["spec"]["topologySpreadConstraints"]
            assert len(constraints) >= 1
            for constraint in constraints:
                assert template in chosen(release, constraint["labelSelector"]["matchLabels"]), f"{kind} {name}: spread"


def redis_pods_change_only_when_redis_does(release):
    """Each change of them is a restart of all, so nothing that belongs to the chart's version is in there."""
    if ("StatefulSet", "uitsmijter-redis") in release:
        spec = release["StatefulSet", "uitsmijter-redis"]["spec"]
        assert spec["template"]["metadata"]["labels"] == {"app": "uitsmijter", "component": "redis"}
        assert spec["minReadySeconds"] >= 10, "Sentinels look at replicas every ten seconds"
        assert spec["podManagementPolicy"] == "Parallel", "empty pods wait for each other"


def scaling_is_done_by_one(release):
    scaled = ("HorizontalPodAutoscaler", "uitsmijter-authserver") in release
    deployment = release["Deployment", "uitsmijter-authserver"]
    assert ("replicas" in deployment["spec"]) is not scaled
    if scaled:
        target = release["HorizontalPodAutoscaler", "uitsmijter-authserver"]["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in release and target["apiVersion"] == deployment["apiVersion"]
        assert "cpu" in release.server()["containers"][0]["resources"]["requests"], "a share of what is not requested"


def ways_in_lead_to_the_service(release):
    service = release["Service", "uitsmijter-authserver"]
    ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    for (kind, name), each in release.items():
        if kind == "Ingress":
            backend = each["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
            assert backend["name"] == "uitsmijter-authserver" and backend["port"]["name"] in ports, name
        elif kind == "HTTPRoute":
            backend = each["spec"]["rules"][0]["backendRefs"][0]
            assert backend == {"name": "uitsmijter-authserver", "port": ports["http"]}, name
        elif kind == "Middleware" and "forwardAuth" in each["spec"]:
            host, _, port = each["spec"]["forwardAuth"]["address"].removeprefix("http://").partition("/")[0].partition(":")
            assert host == f'uitsmijter-authserver.{service["metadata"]["namespace"]}' and int(port) == ports["http"], host
        elif kind == "ServiceMonitor":
            wanted = each["spec"]["selector"]["matchLabels"].items()
            found = [one for (what, _), one in release.items() if what == "Service" and wanted <= one["metadata"]["labels"].items()]
            assert len(found) == 1 and each["spec"]["endpoints"][0]["port"] in {port["name"] for port in found[0]["spec"]["ports"]}


RULES = [every_reference_leads_somewhere, every_service_leads_to_a_port_of_pods, probes_and_mounts_are_of_their_pod,
         policies_and_budgets_choose_their_pods, redis_pods_change_only_when_redis_does, scaling_is_done_by_one,
         ways_in_lead_to_the_service]
