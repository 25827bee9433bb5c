"""What the chart makes, held to Kubernetes: its own OpenAPI, strict, and the restricted level of the Pod Security Standards."""

import copy
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from typer.testing import CliRunner

from leadglass.cli.main import app
from leadglass.config.load import parse
from leadglass.config.settings import Settings
from leadglass.policy import sources
from leadglass.policy.opa import private
from support.chart import CHART, VARIANTS, Document, container, lay_out, one, pod, read, rendered
from support.docs import ROOT
from support.orthanc import free_port
from support.tools import tool

FULL, OPA = CHART / "ci/full-values.yaml", CHART / "ci/opa-values.yaml"
OLDEST, NEWEST = "1.25", kubernetes_validate.latest_version().rpartition(".")[0]

pytestmark = pytest.mark.system
each_variant = pytest.mark.parametrize("values", VARIANTS, ids=lambda file: file.stem)

TEXT = {"type": "string", "minLength": 1}
# What Kubernetes' own OpenAPI does not hold: the parts of these that the chart uses, from their custom resource definitions.
CUSTOM: dict[str, Document] = {
    "ServiceMonitor": {
        "namespaceSelector": {"type": "object"},
        "selector": {"type": "object"},
        "endpoints": {"type": "array", "items": {"type": "object", "additionalProperties": False, "properties": {
            "port": TEXT, "path": TEXT, "interval": TEXT, "scrapeTimeout": TEXT,
            "relabelings": {"type": "array"}, "metricRelabelings": {"type": "array"},
        }}},
    },
    "PrometheusRule": {
        "groups": {"type": "array", "items": {"type": "object", "additionalProperties": False, "properties": {
            "name": TEXT,
            "rules": {"type": "array", "items": {"type": "object", "additionalProperties": False, "properties": {
                "alert": TEXT, "expr": TEXT, "for": TEXT, "labels": {"type": "object"}, "annotations": {"type": "object"},
            }}},
        }}},
    },
    "TLSRoute": {
        "parentRefs": {"type": "array", "minItems": 1}, "hostnames": {"type": "array", "items": TEXT},
        "rules": {"type": "array", "items": {"type": "object", "additionalProperties": False, "properties": {
            "backendRefs": {"type": "array", "items": {"type": "object", "required": ["name", "port"]}},
        }}},
    },
}  # fmt: skip


def fault(document: Document, version: str) -> str | None:
    """Return what Kubernetes of this version would say against an object, or None."""
    kind = document["kind"]
    try:
        if kind in CUSTOM:
            spec = {"type": "object", "additionalProperties": False, "properties": CUSTOM[kind]}
            jsonschema.validate(document["spec"], spec)
        else:
            kubernetes_validate.validate(document, version, strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return f"{kind}: {error.message}"
    return None


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@each_variant
def test_kubernetes_takes_every_object(values: Path, version: str) -> None:
    documents = rendered(values, f"{version}.0").values()
    assert [said for document in documents if (said := fault(document, version))] == []


def test_the_oldest_version_is_the_one_that_the_chart_names() -> None:
    assert read((CHART / "Chart.yaml").read_text())[0]["kubeVersion"] == f">={OLDEST}.0-0"


def spec_of(document: Document) -> Document:
    spec: Document = document["spec"]["template"]["spec"]
    return spec


PLANTED: dict[str, tuple[str, Callable[[Document], Any]]] = {
    "a misspelt member": ("Deployment", lambda one: one["spec"].update(replica=1)),
    "a number as text": ("Deployment", lambda one: one["spec"].update(replicas="1")),
    "a volume of nothing": ("Deployment", lambda one: spec_of(one)["volumes"].append({"emptyDir": {}})),
    "a mount without a path": ("Deployment", lambda one: spec_of(one)["containers"][0]["volumeMounts"][0].pop("mountPath")),
    "no selector": ("Deployment", lambda one: one["spec"].pop("selector")),
    "a version that is gone": ("Ingress", lambda one: one.update(apiVersion="networking.k8s.io/v1beta1")),
    "a port of text": ("NetworkPolicy", lambda one: one["spec"]["egress"][0]["ports"][0].update(ports=1)),
    "a route to nowhere": ("TLSRoute", lambda one: one["spec"]["rules"][0].update(backendRefs=[{"name": "gate"}])),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "plant"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_fault_is_seen(kind: str, plant: Callable[[Document], Any]) -> None:
    document = copy.deepcopy(one(FULL, kind))
    assert fault(document, NEWEST) is None
    plant(document)
    assert fault(document, NEWEST) is not None


VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def unrestricted(spec: Document) -> list[str]:
    """Return what the Pod Security Standards, level restricted, hold against a pod; and what we ask beyond them."""
    found = [field for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    found += [f"volume {each['name']}" for each in spec["volumes"] if not VOLUMES & each.keys()]
    outer = spec["securityContext"]
    if spec.get("automountServiceAccountToken") is not False:
        found.append("token")
    for each in (*spec["containers"], *spec.get("initContainers", ())):
        context = {**outer, **each.get("securityContext", {})}
        wanted = {
            "privileged": not context.get("privileged"),
            "escalation": context.get("allowPrivilegeEscalation") is False,
            "capabilities": context.get("capabilities", {}).get("drop") == ["ALL"]
            and set(context["capabilities"].get("add", ())) <= {"NET_BIND_SERVICE"},
            "root": context.get("runAsNonRoot") is True and context.get("runAsUser") != 0,
            "seccomp": context.get("seccompProfile", {}).get("type") in {"RuntimeDefault", "Localhost"},
            "host port": not any("hostPort" in port for port in each.get("ports", ())),
            "written root": context.get("readOnlyRootFilesystem") is True,
        }
        found += [f"{each['name']}: {name}" for name, well in wanted.items() if not well]
    return found


@each_variant
def test_the_pod_is_restricted_and_has_no_token(values: Path) -> None:
    assert unrestricted(pod(values)) == []
    security = pod(values)["securityContext"]
    assert security["fsGroupChangePolicy"] == "OnRootMismatch"
    accounts = [document for (kind, _), document in rendered(values).items() if kind == "ServiceAccount"]
    assert all(each["automountServiceAccountToken"] is False for each in accounts)
    assert pod(values)["serviceAccountName"] in {"imaging", *(each["metadata"]["name"] for each in accounts)}


LOOSENED: dict[str, Callable[[Document], Any]] = {
    "token": lambda spec: spec.update(automountServiceAccountToken=True),
    "hostNetwork": lambda spec: spec.update(hostNetwork=True),
    "volume data": lambda spec: spec["volumes"].append({"name": "data", "hostPath": {"path": "/"}}),
    "gateway: privileged": lambda spec: spec["containers"][0]["securityContext"].update(privileged=True),
    "gateway: escalation": lambda spec: spec["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
    "gateway: capabilities": lambda spec: spec["containers"][0]["securityContext"]["capabilities"].update(add=["NET_RAW"]),
    "gateway: root": lambda spec: spec["containers"][0]["securityContext"].update(runAsUser=0),
    "opa: seccomp": lambda spec: spec["containers"][1]["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    "policy: written root": lambda spec: spec["initContainers"][0]["securityContext"].pop("readOnlyRootFilesystem"),
    "opa: host port": lambda spec: spec["containers"][1]["ports"][0].update(hostPort=8282),
}  # fmt: skip


@pytest.mark.parametrize(("said", "loosen"), LOOSENED.items(), ids=LOOSENED.keys())
def test_a_loosened_pod_is_seen(said: str, loosen: Callable[[Document], Any]) -> None:
    spec = copy.deepcopy(pod(OPA))
    loosen(spec)
    assert unrestricted(spec) == [said]


@each_variant
def test_the_gateway_writes_nowhere_but_to_its_data(values: Path) -> None:
    written = {mount["mountPath"] for mount in container(values)["volumeMounts"] if not mount.get("readOnly")}
    assert written == {"/var/lib/leadglass", "/tmp"}  # noqa: S108 - a volume of the pod's own


def test_what_is_given_is_there() -> None:
    given = read(FULL.read_text())[0]
    spec, gateway = pod(FULL), container(FULL)
    assert gateway["env"] == given["extraEnv"]
    assert gateway["envFrom"] == given["extraEnvFrom"]
    assert given["extraVolumeMounts"][0] in gateway["volumeMounts"]
    assert given["extraVolumes"][0] in spec["volumes"]
    assert given["extraInitContainers"] == spec["initContainers"]
    assert given["extraContainers"][0] in spec["containers"]
    for name in (
        "affinity", "topologySpreadConstraints", "tolerations", "nodeSelector", "hostAliases", "dnsConfig", "dnsPolicy",
        "priorityClassName", "runtimeClassName",
    ):  # fmt: skip
        assert spec[name] == given[name], name
    assert spec["securityContext"].items() >= given["podSecurityContext"].items()
    metadata = one(FULL, "Deployment")["spec"]["template"]["metadata"]
    assert metadata["labels"].items() >= {**given["podLabels"], **given["commonLabels"]}.items()
    assert metadata["annotations"].items() >= given["podAnnotations"].items()
    for document in rendered(FULL).values():
        assert document["metadata"]["labels"].items() >= given["commonLabels"].items(), document["kind"]
    assert one(FULL, "PersistentVolumeClaim")["metadata"]["annotations"] == given["persistence"]["annotations"]


def test_a_platform_may_choose_the_ids() -> None:
    security = pod(OPA)["securityContext"]
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & security.keys()
    assert security["runAsNonRoot"] is True


def test_names_lead_to_the_door() -> None:
    hosts = ["pacs.example.org"]
    for values in (FULL, OPA):
        spec = one(values, "Ingress")["spec"]
        assert [rule["host"] for rule in spec["rules"]] == spec["tls"][0]["hosts"] == hosts
        backend = spec["rules"][0]["http"]["paths"][0]["backend"]["service"]
        assert backend["port"]["name"] in {port["name"] for port in one(values, "Service")["spec"]["ports"]}
    assert "secretName" not in one(FULL, "Ingress")["spec"]["tls"][0], "TLS goes through"
    assert one(OPA, "Ingress")["spec"]["tls"][0]["secretName"] == "edge-tls"
    route = one(FULL, "TLSRoute")["spec"]
    assert route["hostnames"] == hosts
    (backend,) = route["rules"][0]["backendRefs"]
    service = one(FULL, "Service")
    assert backend == {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}


def test_prometheus_finds_metrics_and_nothing_else() -> None:
    spec = one(FULL, "ServiceMonitor")["spec"]
    wanted = spec["selector"]["matchLabels"].items()
    found = [each for (kind, _), each in rendered(FULL).items() if kind == "Service" and wanted <= each["metadata"]["labels"].items()]  # fmt: skip
    assert [each["metadata"]["name"] for each in found] == ["gate-metrics"]
    assert spec["endpoints"][0]["port"] in {port["name"] for port in found[0]["spec"]["ports"]}


def test_prometheus_is_given_every_alert() -> None:
    (group,) = one(FULL, "PrometheusRule")["spec"]["groups"]
    alerts = read((CHART / "files/alerts.yaml").read_text())[0]
    assert [(rule["alert"], rule["expr"], rule.get("for")) for rule in group["rules"]] == [
        (alert["alert"], alert["expr"], alert.get("for")) for alert in alerts
    ]
    assert {rule["labels"]["severity"] for rule in group["rules"]} == {"warning", "critical"}
    assert all(rule["labels"]["team"] == "imaging" for rule in group["rules"])


def test_a_drain_waits_for_a_person_unless_the_pod_is_ill() -> None:
    spec = one(FULL, "PodDisruptionBudget")["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (0, "AlwaysAllow")
    assert not [name for kind, name in rendered(OPA) if kind == "PodDisruptionBudget"]


def test_opa_holds_what_the_gateway_holds(tmp_path: Path) -> None:
    """The init container's words, then the OPA container's, with a real OPA; what they share is a folder here."""
    file, shared = lay_out(OPA, tmp_path / "etc", "first"), tmp_path / "run"
    shared.mkdir()
    file.write_text(file.read_text().replace("/run/opa", str(shared)))
    settings = parse(file)
    assert isinstance(settings, Settings)
    assert settings.policy.opa is not None

    def here(words: list[str]) -> list[str]:
        return [
            word.replace("/run/opa", str(shared)).replace("/etc/leadglass", str(tmp_path / "etc")) for word in words
        ]

    made = CliRunner().invoke(app, here(container(OPA, "policy")["args"]))
    assert made.exit_code == 0, made.output
    assert sources.read(settings.policy.path).revision in made.output
    port = free_port()
    probed = container(OPA, "opa")["ports"][0]["containerPort"]
    words = [word.replace(f"0.0.0.0:{probed}", f"127.0.0.1:{port}") for word in here(container(OPA, "opa")["args"])]
    process = subprocess.Popen([tool("opa"), *words], stderr=subprocess.DEVNULL)
    try:
        probe = container(OPA, "opa")["readinessProbe"]["httpGet"]
        assert answers(f"http://127.0.0.1:{port}{probe['path']}")
        private(settings.policy.opa.socket)  # raises when others may use it
    finally:
        process.kill()
        process.wait()


def answers(address: str) -> bool:
    for _ in range(200):
        try:
            with urllib.request.urlopen(address, timeout=2) as reply:  # noqa: S310 - an address of this test's own
                return bool(reply.status == 200)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)  # between two tries; another process opens the port
    return False


def test_opa_is_the_version_that_the_rules_are_tested_with() -> None:
    tag = read((CHART / "values.yaml").read_text())[0]["opa"]["image"]["tag"]
    assert f"opa@v{tag.removesuffix('-static')}\n" in (ROOT / "tests/provision.sh").read_text()
