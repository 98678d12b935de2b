"""The chart: what real Helm makes of each set of values is valid, and has the properties that matter at night."""

from __future__ import annotations

import json
import platform
import runpy
import sys
import tomllib
import urllib.request
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from llm_schema_registry_server.settings import PREFIX, Settings, load
from tests.api.server import ServerProcess
from tests.deploy import charts
from tests.deploy.charts import Document, all_rendered, of_kind, pods, server, tree, value_sets

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),  # the tools may have to be installed
    pytest.mark.skipif(
        platform.machine() != "x86_64" or sys.platform != "linux",
        reason="helm-python-sdk is not built for it",
    ),
]

GENERATE = runpy.run_path(str(charts.ROOT / "helm" / "generate.py"))
SETS = list(value_sets())
SECRETS: list[str] = GENERATE["settings_schema"]()[2]
OPEN: dict[str, Any] = {"settings": {"auth": {"insecure": True}}}
DSN = {"storage.postgres.dsn": {"name": "database", "key": "dsn"}}
INFO = 1
"""The severity of Helm's lint for what may be done better (an icon ...)."""
GOOD = {
    "storage.postgres.dsn": "postgresql://registry:secret@postgres/registry",
    "caches.redis.url": "redis://redis:6379/0",
}
"""Values of secrets that must be of a form; any long text does for the others."""


@pytest.fixture(params=SETS)
def documents(request: pytest.FixtureRequest) -> list[Document]:
    return all_rendered()[request.param]


def test_there_are_at_least_twelve_sets_of_values_and_lint_finds_nothing() -> None:
    assert len(SETS) >= 12
    found = charts.ask("lint", values=list(value_sets().values()))
    assert not [result["errors"] for result in found if result["errors"]]
    assert not [message for result in found for message in result["messages"] if message["severity"] > INFO]


def test_kubernetes_would_take_all_of_it() -> None:
    own = [
        document
        for documents in all_rendered().values()
        for document in documents
        if document["apiVersion"].partition("/")[0] not in charts.OWN_GROUPS
    ]
    assert {"Deployment", "Job", "CronJob", "NetworkPolicy", "HorizontalPodAutoscaler", "Ingress"} <= {
        d["kind"] for d in own
    }
    assert not charts.ask("validate", documents=own, versions=charts.KUBERNETES)


def test_the_validation_finds_what_is_wrong() -> None:
    (deployment,) = of_kind(all_rendered()["open"], "Deployment")
    wrong = json.loads(json.dumps(deployment))
    wrong["spec"]["replicaz"] = 1
    assert charts.ask("validate", documents=[wrong], versions=charts.KUBERNETES[:1])


def test_probes_ask_ports_that_the_server_opens(documents: list[Document]) -> None:
    _, container = server(documents)
    settings = tree(documents)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {name: settings[name]["port"] for name in ("grpc", "http", "metrics")}
    tls = settings.get("tls", {})
    secure = tls.get("listeners", ["grpc", "http"]) if "certificate_file" in tls else []
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container[kind]
        if "grpc" in probe:
            assert probe["grpc"]["port"] == ports["grpc"]
            assert "grpc" not in secure
        else:
            assert probe["httpGet"]["port"] in ports
            assert probe["httpGet"]["scheme"] == ("HTTPS" if "http" in secure else "HTTP")
    assert container["readinessProbe"]["timeoutSeconds"] > settings.get("health", {}).get("probe_seconds", 2)


def test_a_real_server_answers_what_probes_ask(tmp_path: Path) -> None:
    _, container = server(all_rendered()["open"])
    running = ServerProcess(tmp_path)
    try:
        for kind in ("startupProbe", "livenessProbe"):
            with urllib.request.urlopen(running.http + container[kind]["httpGet"]["path"]) as answer:
                assert answer.status == 200
        assert container["readinessProbe"]["grpc"].keys() == {"port"}  # the server as a whole: service ""
        with grpc.insecure_channel(running.grpc) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            found = stub.Check(health_pb2.HealthCheckRequest(service=""), wait_for_ready=True)
        assert found.status == health_pb2.HealthCheckResponse.SERVING
    finally:
        running.stop()


def test_startup_waits_for_warming(documents: list[Document]) -> None:
    _, container = server(documents)
    probe = container["startupProbe"]
    warm = tree(documents).get("caches", {}).get("warm_seconds", 30)
    assert probe["periodSeconds"] * probe["failureThreshold"] > warm


def test_drain_is_shorter_than_the_grace_period(documents: list[Document]) -> None:
    spec, container = server(documents)
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["terminationGracePeriodSeconds"] > pause + tree(documents)["drain_seconds"]


def test_services_and_all_other_selectors_match_servers_and_nothing_else(documents: list[Document]) -> None:
    labelled = {name: template["metadata"]["labels"] for name, template in pods(documents)}
    (servers,) = (labels for name, labels in labelled.items() if name.startswith("Deployment"))
    others = [labels for labels in labelled.values() if labels is not servers]
    selectors = [d["spec"]["selector"] for d in of_kind(documents, "Service")]
    selectors += [
        d["spec"]["selector"]["matchLabels"] for d in of_kind(documents, "Deployment", "PodDisruptionBudget")
    ]
    selectors += [
        spread["labelSelector"]["matchLabels"] for spread in server(documents)[0]["topologySpreadConstraints"]
    ]
    for selector in selectors:
        assert selector.items() <= servers.items()
        assert not any(selector.items() <= other.items() for other in others)
    for policy in of_kind(documents, "NetworkPolicy"):
        for labels in labelled.values():  # the hooks and the backup are held to it too
            assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_services_lead_to_ports_that_pods_have(documents: list[Document]) -> None:
    _, container = server(documents)
    names = {port["name"] for port in container["ports"]}
    services = of_kind(documents, "Service")
    assert all(port["targetPort"] in names for s in services for port in s["spec"]["ports"])
    offered = {s["metadata"]["name"]: {p["name"]: p["port"] for p in s["spec"]["ports"]} for s in services}
    for ingress in of_kind(documents, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            to = rule["http"]["paths"][0]["backend"]["service"]
            assert to["port"]["name"] in offered[to["name"]]
    for route in of_kind(documents, "HTTPRoute", "GRPCRoute"):
        for to in route["spec"]["rules"][0]["backendRefs"]:
            assert to["port"] in offered[to["name"]].values()
    for monitor in of_kind(documents, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (scraped,) = (s for s in services if wanted <= s["metadata"]["labels"].items())
        assert monitor["spec"]["endpoints"][0]["port"] in offered[scraped["metadata"]["name"]]


def test_what_is_named_is_there(documents: list[Document]) -> None:
    made = {(d["kind"], d["metadata"]["name"]) for d in documents}
    assert len(made) == len(documents), "two of one name"
    named: set[str] = set(_texts(value_sets()))
    for name, template in pods(documents):
        spec = template["spec"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]} if "volumes" in spec else {}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container.get("volumeMounts", ())} <= volumes.keys(), name
        for volume in volumes.values():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in made
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert ("PersistentVolumeClaim", claim) in made or claim in named
        account = spec.get("serviceAccountName", "default")
        assert account == "default" or ("ServiceAccount", account) in made
    assert all(len(name) <= 63 for _, name in made)


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else [str(value)]


def test_every_pod_is_restricted(documents: list[Document]) -> None:
    """As the profile `restricted` of the Pod Security Standards says, and more."""
    for name, template in pods(documents):
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] == 1000
        assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert spec["automountServiceAccountToken"] is False
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        assert not any("hostPath" in volume for volume in spec.get("volumes", ()))
        for container in spec["containers"]:
            if container["name"] == "proxy":  # the values' own
                continue
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert "memory" in container["resources"]["limits"]


def test_the_servers_take_their_settings(documents: list[Document], tmp_path: Path) -> None:
    """The file and the variables of the containers, read as the server reads them."""
    runs = [(server(documents)[1], "")]
    runs += [
        (job["spec"]["template"]["spec"]["containers"][0], "-migration") for job in of_kind(documents, "Job")
    ]
    for container, suffix in runs:
        file = tmp_path / "registry.toml"
        text = tree(documents, suffix)
        (source,) = (
            d["data"]["registry.toml"]
            for d in of_kind(documents, "ConfigMap")
            if d["metadata"]["name"] == of_kind(documents, "Deployment")[0]["metadata"]["name"] + suffix
        )
        file.write_text(source)
        environ = {}
        for variable in container["env"]:
            if "valueFrom" in variable:
                path = variable["name"].removeprefix(PREFIX).lower().replace("__", ".")
                environ[variable["name"]] = GOOD.get(path, "x" * 40)
        settings = load(file, environ)
        assert settings.grpc.port == text["grpc"]["port"]
        assert {
            "name": "SCHEMA_REGISTRY_CONFIG",
            "value": "/etc/registry/settings/registry.toml",
        } in container["env"]
        assert any(m["mountPath"] == "/etc/registry/settings" for m in container["volumeMounts"])


def test_no_secret_stands_in_a_config_map(documents: list[Document]) -> None:
    for found in of_kind(documents, "ConfigMap"):
        for text in (t for name, t in found["data"].items() if name.endswith(".toml")):
            settings = tomllib.loads(text)
            assert not [path for path in SECRETS if _at(settings, path) is not None]
    assert not of_kind(documents, "Secret")


def _at(tree: Any, path: str) -> Any:
    for part in path.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def test_secrets_are_refused_as_settings_and_taken_from_secrets() -> None:
    assert len(SECRETS) > 8
    as_settings = [{"settings": _nested(path, "x" * 40)} for path in SECRETS]
    assert all("additional properties" in told for told in charts.refusals(as_settings))
    one = {"settings": {"auth": {"insecure": True}, "storage": {"kind": "postgres"}}}
    held = {path: {"name": "all-secrets", "key": path} for path in SECRETS}
    (documents,) = charts.documents_of([{**one, "secrets": held}])
    variables = {v["name"]: v for v in server(documents)[1]["env"] if "valueFrom" in v}
    for path in SECRETS:
        source = variables[PREFIX + path.replace(".", "__").upper()]["valueFrom"]["secretKeyRef"]
        assert source == {"name": "all-secrets", "key": path}


def _nested(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    assert isinstance(value, dict)
    return value


@cache
def _defaults() -> dict[str, Any]:
    """Every setting that is no secret, as it is when nobody sets it; without those that are not given."""

    def clean(value: Any, path: tuple[str, ...] = ()) -> Any:
        if isinstance(value, Mapping):
            items = {k: clean(v, (*path, k)) for k, v in value.items() if ".".join((*path, k)) not in SECRETS}
            return {k: v for k, v in items.items() if v is not None}
        return value

    found = clean(Settings().model_dump(mode="json"))
    assert isinstance(found, dict)
    return found


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    wanted = _defaults() | {"auth": {**_defaults()["auth"], "insecure": True}}
    (documents,) = charts.documents_of([{"settings": wanted}])
    (found,) = (d for d in of_kind(documents, "ConfigMap"))
    file = tmp_path / "registry.toml"
    file.write_text(found["data"]["registry.toml"])
    assert load(file, {}) == Settings.model_validate(wanted)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "nobody would be asked who they are"),
    (OPEN | {"replicas": 2}, "storage sqlite is for one server"),
    (OPEN | {"autoscaling": {"enabled": True}}, "storage sqlite is for one server"),
    ({"settings": {"auth": {"insecure": True}, "storage": {"kind": "postgres"}}}, "needs the secret storage.postgres.dsn"),
    ({"settings": {"auth": {"insecure": True}, "blobs": {"kind": "s3"}}}, "blobs.s3.bucket"),
    ({"settings": {"auth": {"insecure": True}, "http": {"port": 0}}}, "settings.http.port must not be 0"),
    ({"settings": {"auth": {"insecure": True}, "grcp": {"port": 1}}}, "additional properties 'grcp' not allowed"),
    ({"settings": {"auth": {"insecure": True}, "grpc": {"port": "many"}}}, "/settings/grpc/port"),
    ({"settings": {"auth": {"insecure": True}, "grpc": {"port": 70000}}}, "/settings/grpc/port"),
    ({"settings": {"auth": {"insecure": True}, "lint": "PLEASE"}}, "/settings/lint"),
    (OPEN | {"shutdown": {"gracePeriodSeconds": 30}}, "must be more than preStopSeconds + settings.drain_seconds"),
    (OPEN | {"tls": {"secret": "t"}, "probes": {"readiness": "grpc"}}, "kubelets do not speak TLS"),
    (
    {"tls": {"secret": "t", "clientCaSecret": "c"}, "settings": {"tls": {"client_certificates": "required"}}},
    "kubelets show no certificates",
    ),
    (OPEN | {"tls": {"clientCaSecret": "c"}}, "tls.clientCaSecret needs tls.secret"),
    (OPEN | {"ingress": {"enabled": True}}, "needs ingress.http.host"),
    (OPEN | {"gateway": {"enabled": True}}, "needs gateway.parentRefs"),
    (OPEN | {"persistence": {"enabled": False}, "backup": {"enabled": True}}, "needs persistence.enabled"),
    (OPEN | {"replica": 1}, "additional properties 'replica' not allowed"),
    (OPEN | {"secrets": {"grpc.port": {"name": "a", "key": "b"}}}, "additional properties 'grpc.port' not allowed"),
]  # fmt: skip
"""Values, and what must be said of them."""


@cache
def _told() -> list[str]:
    return charts.refusals([values for values, _ in REFUSED])


@pytest.mark.parametrize("index", range(len(REFUSED)), ids=[told for _, told in REFUSED])
def test_what_cannot_work_is_refused_with_the_way_out(index: int) -> None:
    assert REFUSED[index][1] in _told()[index]


def test_the_migration_is_a_hook_that_needs_nothing_of_the_release() -> None:
    documents = all_rendered()["production"]
    (job,) = of_kind(documents, "Job")
    hooks = {
        d["metadata"]["name"]: d for d in of_kind(documents, "ConfigMap") if "annotations" in d["metadata"]
    }
    marks = job["metadata"]["annotations"]
    assert marks["helm.sh/hook"] == "pre-install,pre-upgrade"
    spec = job["spec"]["template"]["spec"]
    assert "serviceAccountName" not in spec  # it is not made yet
    for volume in spec["volumes"]:
        if "configMap" in volume:
            before = hooks[volume["configMap"]["name"]]["metadata"]["annotations"]
            assert before["helm.sh/hook"] == marks["helm.sh/hook"]
            assert int(before["helm.sh/hook-weight"]) < int(marks["helm.sh/hook-weight"])
    assert tree(documents)["storage"]["postgres"]["migrate"] is False
    assert "args" in spec["containers"][0]
    assert spec["containers"][0]["args"] == ["migrate"]


def test_servers_migrate_where_no_job_does() -> None:
    documents = all_rendered()["scheduling"]
    assert not of_kind(documents, "Job")
    assert tree(documents)["storage"]["postgres"]["migrate"] is True


def test_a_file_has_one_server_and_a_database_several() -> None:
    alone, together = (
        of_kind(all_rendered()["open"], "Deployment")[0],
        of_kind(all_rendered()["mtls"], "Deployment")[0],
    )
    assert (alone["spec"]["replicas"], alone["spec"]["strategy"]["type"]) == (1, "Recreate")
    assert together["spec"]["replicas"] == 2
    assert together["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert len(of_kind(all_rendered()["mtls"], "PodDisruptionBudget")) == 1
    assert not of_kind(all_rendered()["open"], "PodDisruptionBudget")


def test_the_autoscaler_alone_says_how_many() -> None:
    documents = all_rendered()["production"]
    (deployment,), (scaler,) = of_kind(documents, "Deployment"), of_kind(documents, "HorizontalPodAutoscaler")
    assert "replicas" not in deployment["spec"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]


def test_new_settings_make_new_pods() -> None:
    sets = [OPEN, OPEN, {"settings": {"auth": {"insecure": True}, "lint": "OFF"}}]
    deployments = [of_kind(documents, "Deployment")[0] for documents in charts.documents_of(sets)]
    one, same, other = (
        d["spec"]["template"]["metadata"]["annotations"]["checksum/settings"] for d in deployments
    )
    assert one == same != other


def test_rendering_depends_on_the_values_alone() -> None:
    """Argo CD renders without a cluster, again and again: nothing may be looked up or be made by chance."""
    sets = list(value_sets().values())
    assert charts.documents_of(sets) == charts.documents_of(sets)
    text = "".join(file.read_text() for file in (charts.CHART / "templates").rglob("*.*"))
    assert not [
        word
        for word in ("lookup ", "randAlpha", "randNumeric", "genCA", "genSigned", "uuidv4", " now")
        if word in text
    ]


def test_the_backup_exports_where_it_may_write() -> None:
    for name in ("production", "sqlite-claim", "names"):
        (job,) = of_kind(all_rendered()[name], "CronJob")
        spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert 'schema-registry-server export "/backup/' in container["args"][0]
        assert "/backup" in [mount["mountPath"] for mount in container["volumeMounts"]]
        on_node = "podAffinity" in spec.get("affinity", {})
        assert on_node == (name == "sqlite-claim")


def test_who_may_call_and_who_may_scrape_is_as_the_values_say() -> None:
    (policy,) = of_kind(all_rendered()["ports"], "NetworkPolicy")
    calls, scrapes, *_ = policy["spec"]["ingress"]
    assert [port["port"] for port in calls["ports"]] == [19090, 18080]
    assert calls["from"] == [{"namespaceSelector": {"matchLabels": {"team": "llm"}}}]
    assert [port["port"] for port in scrapes["ports"]] == [19091]
    assert scrapes["from"][0]["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "monitoring"
    }
