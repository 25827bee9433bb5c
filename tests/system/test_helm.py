"""The chart as Helm renders it: each variant in ci/ is linted, rendered, and laid out as a pod would see it."""

import json
import re
import shutil
from pathlib import Path

import pytest

from leadglass.config.load import parse
from leadglass.config.settings import Settings
from leadglass.policy import sources
from support.chart import CHART, KUBERNETES, VARIANTS, Document, container, helm, lay_out, one, read, rendered
from support.docs import fences, page, rows

GATEWAY = {"app.kubernetes.io/name": "leadglass", "app.kubernetes.io/instance": "r"}

pytestmark = pytest.mark.system
each_variant = pytest.mark.parametrize("values", VARIANTS, ids=lambda file: file.stem)


@each_variant
def test_lint_finds_nothing(values: Path) -> None:
    done = helm("lint", "--strict", CHART, "-f", values)
    assert done.returncode == 0, done.stdout + done.stderr


@each_variant
def test_one_gateway_and_the_old_one_ends_first(values: Path) -> None:
    spec = one(values, "Deployment")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert spec["template"]["metadata"]["labels"].items() >= spec["selector"]["matchLabels"].items()
    assert re.fullmatch("[0-9a-f]{64}", spec["template"]["metadata"]["annotations"]["checksum/config"])


@each_variant
def test_probes_ask_where_the_gateway_answers(values: Path, tmp_path: Path) -> None:
    settings = parse(lay_out(values, tmp_path, "first"))
    assert isinstance(settings, Settings)
    assert settings.listen.https is not None
    gateway = container(values)
    ports = {port["name"]: port["containerPort"] for port in gateway["ports"]}
    assert str(settings.metrics.http) == f"0.0.0.0:{ports['metrics']}"
    assert str(settings.listen.https) == f"0.0.0.0:{ports['https']}"
    probes = {name: gateway[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {"metrics"}
    assert [probe["path"] for probe in probes.values()] == ["/health/live", "/health/live", "/health/ready"]
    assert one(values, "Service")["spec"]["ports"][0]["targetPort"] == "https"
    assert {port["targetPort"] for port in one(values, "Service")["spec"]["ports"]} == {"https"}


@each_variant
def test_the_gateway_takes_its_configuration(values: Path, tmp_path: Path) -> None:
    file = lay_out(values, tmp_path, "first")
    settings = parse(file)
    assert isinstance(settings, Settings), list(map(str, settings))
    named = re.findall(rf"{re.escape(str(tmp_path))}/[\w./-]+", file.read_text())
    assert all(Path(name).exists() for name in named), named
    assert settings.audit.file.parent == settings.store.parent == Path("/var/lib/leadglass")


@each_variant
def test_an_update_of_the_volume_moves_no_path(values: Path, tmp_path: Path) -> None:
    # A reload refuses what cannot change while it runs, the certificate's path among it.
    before = parse(lay_out(values, tmp_path, "first"))
    assert parse(lay_out(values, tmp_path, "second")) == before


def test_tables_and_rules_make_a_policy_folder(tmp_path: Path) -> None:
    values = CHART / "ci/full-values.yaml"
    settings = parse(lay_out(values, tmp_path, "first"))
    assert isinstance(settings, Settings)
    assert settings.policy.path is not None
    (settings.policy.path / "cases/site.yaml").write_text("[]\n")
    files = sources.read(settings.policy.path)
    assert files.tables["networks"] == {
        "networks": {"clinic": ["10.0.0.0/8"]},
        "everyone": {"allowed": ["clinic"]},
        "roles": {},
    }
    assert [case.path for case in files.site_cases] == ["cases/site.yaml"]


@each_variant
def test_each_archive_in_the_cluster_admits_the_gateway_alone(values: Path) -> None:
    archives = read(values.read_text())[0]["networkPolicy"]["archives"]
    inside = {name: given for name, given in archives.items() if "podLabels" in given}
    assert len([name for kind, name in rendered(values) if kind == "NetworkPolicy"]) == 1 + len(inside)
    for name, given in inside.items():
        policy = one(values, "NetworkPolicy", f"-archive-{name}")
        assert policy["metadata"]["namespace"] == given.get("namespace", "imaging")
        assert policy["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}, (
            "an archive must not open again"
        )
        spec = policy["spec"]
        assert spec["podSelector"] == {"matchLabels": given["podLabels"]}
        assert spec["policyTypes"] == ["Ingress"]
        gateway = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "imaging"}},
            "podSelector": {"matchLabels": GATEWAY},
        }
        first, *others = spec["ingress"]
        assert first == {"ports": [{"port": given["port"]}], "from": [gateway]}
        assert others == given.get("alsoAdmit", [])
        assert all(each["port"] != given["port"] for rule in others for each in rule["ports"])


@each_variant
def test_the_gateway_reaches_what_it_needs_and_no_more(values: Path) -> None:
    spec = one(values, "NetworkPolicy")["spec"]
    labels = one(values, "Deployment")["spec"]["template"]["metadata"]["labels"]
    given = read(values.read_text())[0]["networkPolicy"]
    assert spec["podSelector"]["matchLabels"].items() <= labels.items()
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    for rule in spec["egress"]:
        assert rule["to"]
        assert rule["ports"]
    archives = [[given["archives"][name]["port"]] for name in sorted(given["archives"])]
    count = len(archives) + 2
    reached = [[port["port"] for port in rule["ports"]] for rule in spec["egress"][:count]]
    assert reached == [*archives, [53, 53], [443]]
    assert spec["egress"][count:] == given.get("alsoReach", [])
    doors = {rule["ports"][0]["port"]: rule.get("from") for rule in spec["ingress"]}
    assert doors.get("metrics", "nobody"), "metrics are for those who are named"


def test_the_record_outlives_the_release() -> None:
    claim = one(CHART / "ci/orthanc-values.yaml", "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def at_archive(**values: object) -> Document:
    return {"networkPolicy": {"archives": {"main": values}}}


REFUSED = {
    "unknown value": ({"replica": 1}, "replica"),
    "two gateways": ({"replicas": 2}, "/replicas"),
    "no gateway": ({"replicas": 0}, "/replicas"),
    "a tag that moves": ({"image": {"tag": "latest"}}, "/image/tag"),
    "misspelt setting": ({"config": {"public_urls": []}}, "/config"),
    "listener of one's own": ({"config": {"listen": {"http": "0.0.0.0:80"}}}, "/config"),
    "misspelt setting of the archive": ({"config": {"upstreams": {"main": {"cert": "x"}}}}, "/config/upstreams/main"),
    # Helm says another path for a name that is none.
    "an archive without a name": ({"config": {"upstreams": {"": {"kind": "generic", "url": "https://b"}}}}, "propertyName"),
    "plain public address": ({"config": {"public_url": ["http://pacs.example.org"]}}, "/config/public_url/0"),
    "path that an update moves": ({"config": {"upstreams": {"main": {"ca": "trust/ca.pem"}}}}, "/main/ca"),
    "secret written down": ({"config": {"upstreams": {"main": {"auth": {"basic": "a:b"}}}}}, "/auth/basic"),
    "no certificate": ({"tls": {"existingSecret": ""}}, "/tls/existingSecret"),
    "open to everybody": (at_archive(alsoAdmit=[{"from": [], "ports": [{"port": 1}]}]), "/from"),
    "any port": (at_archive(alsoAdmit=[{"from": [{"podSelector": {}}]}]), "/alsoAdmit/0"),
    "a way around": (
        at_archive(alsoAdmit=[{"from": [{"podSelector": {}}], "ports": [{"port": 8042}]}]),
        "a way around the gateway",
    ),
    "archive in two places": (at_archive(cidrs=["192.0.2.1/32"]), "not both"),
    "archive nowhere": (
        {
            "config": {"upstreams": {"vna": {"kind": "generic", "url": "https://vna.example.org", "mount": "/vna"}}},
            "networkPolicy": {"archives": {"vna": {"port": 443}}},
        },
        "networkPolicy.archives.vna: give the archive's podLabels",
    ),
    "archive without a port": (at_archive(port=None), "/networkPolicy/archives/main"),
    "archive that is not said": (
        {"config": {"upstreams": {"vna": {"kind": "generic", "url": "https://vna.example.org", "mount": "/vna"}}}},
        "networkPolicy.archives.vna: say where",
    ),
    "archive that is none": (
        {"networkPolicy": {"archives": {"old": {"cidrs": ["192.0.2.1/32"], "port": 443}}}}, "has no archive of this name",
    ),
    "a port that is none": ({"service": {"port": 0}}, "/service/port"),
    "root": ({"podSecurityContext": {"runAsUser": 0}}, "/podSecurityContext/runAsUser"),
    "another selector": ({"podLabels": {"app.kubernetes.io/name": "x"}}, "/podLabels"),
    "a mount over the configuration": (
        {"extraVolumeMounts": [{"name": "x", "mountPath": "/etc/leadglass/secrets"}]}, "/extraVolumeMounts/0/mountPath",
    ),
    "a second gateway beside it": ({"extraContainers": [{"name": "gateway", "image": "x"}]}, "/extraContainers/0"),
    "a route to no Gateway": ({"tlsRoute": {"enabled": True}}, "tlsRoute.parentRefs"),
    "an address in a route": (
        {"tlsRoute": {"enabled": True, "parentRefs": [{"name": "g"}]}, "config": {"public_url": ["https://192.0.2.1"]}},
        "leads names only",
    ),
    "an Ingress that may end TLS": ({"ingress": {"enabled": True}}, "tell your controller to pass TLS through"),
    "an Ingress that ends TLS for everybody": (
        {"ingress": {"enabled": True, "tls": "terminate", "tlsSecret": "x"}}, "config.trusted_proxies: name the Ingress",
    ),
    "an Ingress that ends TLS with nothing to show": (
        {
            "ingress": {"enabled": True, "tls": "terminate"},
            "config": {"trusted_proxies": [{"networks": ["10.0.0.0/8"], "speaks": "forwarded"}]},
        },
        "ingress.tlsSecret",
    ),
    "a ServiceMonitor before a closed door": ({"serviceMonitor": {"enabled": True}}, "networkPolicy.scrapers"),
    "no ServiceAccount": ({"serviceAccount": {"create": False}}, "serviceAccount.name"),
    "keys of no secret": ({"secrets": {"existingSecret": ""}}, "secrets.existingSecret"),
}  # fmt: skip


@pytest.mark.parametrize(("more", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused(more: Document, said: str, tmp_path: Path) -> None:
    file = tmp_path / "more.json"
    file.write_text(json.dumps(more))
    done = helm(
        "template", "r", CHART, "--kube-version", KUBERNETES, "-f", CHART / "ci/orthanc-values.yaml", "-f", file
    )
    assert done.returncode != 0
    assert said in done.stderr.replace(".", "/") or said in done.stderr


def test_every_default_has_a_place_in_the_schema() -> None:
    def missing(values: Document, schema: Document, path: str) -> list[str]:
        members = schema.get("properties")
        if members is None:
            return []
        lost = [f"{path}.{name}" for name in values if name not in members]
        for name, value in values.items():
            if isinstance(value, dict) and name in members:
                lost += missing(value, members[name], f"{path}.{name}")
        return lost

    schema = json.loads((CHART / "values.schema.json").read_text())
    assert missing(read((CHART / "values.yaml").read_text())[0], schema, "") == []


def test_every_value_has_its_row_and_the_schema_has_no_other() -> None:
    def leaves(schema: Document, path: str) -> list[str]:
        if path == "config":
            return []  # its members are settings of the gateway, told in docs/configuration.md
        members = schema.get("properties") or {}
        inner = [leaf for name, one in members.items() for leaf in leaves(one, f"{path}.{name}" if path else name)]
        return inner or [path]

    told = rows(page("helm/leadglass/README.md"))
    schema = json.loads((CHART / "values.schema.json").read_text())
    settable = {"resources", "affinity", "dnsConfig", "podSecurityContext.seLinuxOptions", "global"}
    assert {leaf for leaf in leaves(schema, "") if not any(leaf.startswith(one) for one in settable)} - told == set()
    assert settable - {"global"} <= told


def test_the_values_in_the_docs_are_values(tmp_path: Path) -> None:
    (text,) = [block for block in fences(page("docs/deploying.md"), "yaml") if block.startswith("# values.yaml\n")]
    file = tmp_path / "values.yaml"
    file.write_text(text)
    assert isinstance(parse(lay_out(file, tmp_path / "pod", "first")), Settings)


@pytest.mark.parametrize(
    ("variant", "more", "said"),
    [
        (
            "opa",
            (),
            ["OPA 1.22.2-static decides", "Ingress r-leadglass ends TLS", "your ingress have to be among them"],
        ),
        ("full", (), ["TLSRoute gate takes it from edge", "passes TLS through", "nodePort}'", "look after the claim"]),
        (
            "orthanc",
            (),
            ['pods of archive "main" in pacs now admit this gateway, and what alsoAdmit names, and nobody else'],
        ),
        (
            "outside",
            (),
            [
                'The archive "main" is outside this cluster',
                "8443 and nobody else",
                "from within the cluster alone",
                "record stays.",
            ],
        ),
        ("full", ("--set", "networkPolicy.enabled=false"), ["WARNING: networkPolicy.enabled is false"]),
        (
            "full",
            ("--set-string", "config.mode.observe_until=2026-12-15T08:00:00Z"),
            ["until 2026-12-15T08:00:00Z nothing is enforced", "deploy/gate -c gateway -- leadglass audit readiness"],
        ),
    ],
)
def test_the_notes_say_how_things_stand(variant: str, more: tuple[str, ...], said: list[str], tmp_path: Path) -> None:
    copy = tmp_path / "leadglass"
    shutil.copytree(CHART, copy)
    # Helm shows notes only where there is a cluster to install into; here they are rendered as a document.
    (copy / "templates/NOTES.txt").rename(copy / "notes.txt")
    (copy / "templates/notes.yaml").write_text('{text: {{ tpl (.Files.Get "notes.txt") . | toJson }}}')
    values = CHART / f"ci/{variant}-values.yaml"
    chosen = ("--show-only", "templates/notes.yaml")
    done = helm(
        "template", "r", copy, "--namespace", "imaging", "--kube-version", KUBERNETES, *chosen, "-f", values, *more
    )
    assert done.returncode == 0, done.stderr
    notes = " ".join(read(done.stdout)[0]["text"].split())
    assert "has to pass TLS through" in notes
    assert [words for words in said if words not in notes] == []
