"""What pods may do, who selects them, and in which order hooks make what they need."""

from chart import called, case, cases, objects, own, pods, render


def every_pod_is_restricted():
    """Kubernetes' Pod Security Standard `restricted`, and a root file system that can't be written."""
    for path in cases():
        for made, spec, _ in pods(objects(render(path))):
            where = f"{path.name}, {called(made)}"
            pod = spec["securityContext"]
            if not pod["runAsNonRoot"] or pod["runAsUser"] == 0 or pod["seccompProfile"]["type"] != "RuntimeDefault":
                yield f"{where}: {pod}"
            if spec["automountServiceAccountToken"] or spec["enableServiceLinks"]:
                yield f"{where}: has a token, or the addresses of its neighbours as settings"
            if {"hostNetwork", "hostPID", "hostIPC"} & spec.keys() or "hostPath" in str(spec.get("volumes")):
                yield f"{where}: has something of its node"
            for container in own(spec):
                context = container["securityContext"]
                if (
                    context["allowPrivilegeEscalation"]
                    or context["privileged"]
                    or context["capabilities"] != {"drop": ["ALL"]}
                    or not context["readOnlyRootFilesystem"]
                ):
                    yield f"{where}: {context}"
                if container["image"].endswith(":latest"):
                    yield f"{where}: {container['image']}"
    for made, spec, _ in pods(objects(render(case("minimal")))):
        for container in own(spec):
            resources = container["resources"]
            if resources["requests"]["memory"] != resources["limits"]["memory"] or "cpu" not in resources["requests"]:
                yield f"{called(made)}: {resources}"


def services_and_policies_select_the_pods_that_they_are_for():
    for path in cases():
        made = objects(render(path))
        labels = {one["kind"]: labels for one, _, labels in pods(made)}
        for one in made:
            spec = one.get("spec", {})
            if one["kind"] == "ServiceMonitor":
                yield from monitored(path, one, made)
            if one["kind"] in ("Service", "PodDisruptionBudget", "Deployment"):
                selector = spec["selector"] if one["kind"] == "Service" else spec["selector"]["matchLabels"]
                if not selector.items() <= labels["Deployment"].items():
                    yield f"{path.name}: {called(one)} does not select servers"
                if any(selector.items() <= labels[kind].items() for kind in ("Job", "CronJob", "Pod") if kind in labels):
                    yield f"{path.name}: {called(one)} selects more than servers"
                if len(selector) != 3:
                    yield f"{path.name}: {called(one)} selects by {selector}"
        if not any(one["kind"] == "NetworkPolicy" for one in made):
            continue
        for kind, of_pod in labels.items():
            policies = [one for one in made if one["kind"] == "NetworkPolicy"]
            selected = [one for one in policies if one["spec"]["podSelector"]["matchLabels"].items() <= of_pod.items()]
            if len(selected) != 1:
                yield f"{path.name}: {len(selected)} policies are for the pods of the {kind}"


def monitored(path, monitor, made):
    """A ServiceMonitor selects the operator's Service alone, which alone has the port that it names."""
    selector = monitor["spec"]["selector"]["matchLabels"].items()
    services = [one for one in made if one["kind"] == "Service"]
    selected = [one for one in services if selector <= one["metadata"]["labels"].items()]
    ports = {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}
    for one in services:
        has = ports & {port["name"] for port in one["spec"]["ports"]}
        if (one in selected) != bool(has) or bool(has) != (one["spec"].get("clusterIP") == "None"):
            yield f"{path.name}: {called(monitor)} and {called(one)} do not fit"
    if len(selected) != 1:
        yield f"{path.name}: {called(monitor)} selects {len(selected)} Services"


def what_only_operators_see_is_not_on_the_port_for_clients():
    for path in cases():
        made = objects(render(path))
        ((_, spec, _),) = (found for found in pods(made) if found[0]["kind"] == "Deployment")
        (server,) = own(spec)
        ports = {port["name"]: port["containerPort"] for port in server["ports"]}
        said = {variable["name"]: variable.get("value") for variable in server["env"]}
        for name, port in (("DEALGRAPH_LISTEN", "http"), ("DEALGRAPH_METRICS_LISTEN", "metrics")):
            if not said[name].endswith(f":{ports[port]}"):
                yield f"{path.name}: {name} is {said[name]}, and the port {ports[port]}"
        for kind in ("startup", "liveness", "readiness"):
            if server[f"{kind}Probe"]["httpGet"]["port"] != "metrics":
                yield f"{path.name}: the {kind} probe asks where clients do, which may be full"
        for one in made:
            if one["kind"] == "Service" and one["spec"].get("clusterIP") != "None":
                if any(port["targetPort"] == "metrics" for port in one["spec"]["ports"]):
                    yield f"{path.name}: {called(one)} leads to the operator's port"
        if any(one["kind"] == "NetworkPolicy" for one in made):
            (policy,) = (one for one in made if one["kind"] == "NetworkPolicy" and component(one) == "server")
            if {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} != set(ports.values()):
                yield f"{path.name}: {called(policy)} does not let in to {ports}"


def servers_have_the_time_to_go():
    for path in cases():
        for made, spec, _ in pods(objects(render(path))):
            if made["kind"] != "Deployment":
                continue
            (server,) = own(spec)
            said = {variable["name"]: variable.get("value") for variable in server["env"]}
            wait = int(said.get("DEALGRAPH_DRAIN_WAIT_S", 5))
            # After the wait: sockets within 8 seconds, requests within 20, mails within 15, traces within 5.
            if spec["terminationGracePeriodSeconds"] < wait + 40:
                yield f"{path.name}: {spec['terminationGracePeriodSeconds']} s to go, of which {wait} are the wait"
            if "lifecycle" in server:
                yield f"{path.name}: the server waits by itself, and {server['lifecycle']} comes on top"


def what_a_hook_needs_is_made_by_a_hook_before_it():
    for path in cases():
        made = objects(render(path))
        hooks = {(one["kind"], one["metadata"]["name"]): weight(one) for one in made if weight(one) is not None}
        others = {(one["kind"], one["metadata"]["name"]) for one in made} - hooks.keys()
        for one, spec, _ in pods(made):
            if one["kind"] != "Job":
                continue
            if one["metadata"]["annotations"]["helm.sh/hook-delete-policy"] != "before-hook-creation,hook-succeeded":
                yield f"{path.name}: the migration leaves its Job behind"
            needs = {("ServiceAccount", spec["serviceAccountName"]), ("NetworkPolicy", one["metadata"]["name"])}
            for container in own(spec):
                for variable in container["env"]:
                    secret = variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name")
                    needs.add(("Secret", secret))
            if needs & others:
                yield f"{path.name}: the migration needs {needs & others}, which is made after it"
            late = {need for need in needs if need in hooks and hooks[need] >= weight(one)}
            if late:
                yield f"{path.name}: {late} is not made before the migration"


def component(made):
    return made["metadata"]["labels"]["app.kubernetes.io/component"]


def weight(made):
    annotations = made["metadata"].get("annotations", {})
    if "pre-upgrade" not in annotations.get("helm.sh/hook", ""):
        return None
    return int(annotations["helm.sh/hook-weight"])
