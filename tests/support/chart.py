"""The Helm chart as tests see it: rendered by Helm, and laid out as a pod would find it."""

import subprocess
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from support.docs import ROOT
from support.tools import tool

CHART = ROOT / "helm/leadglass"
VARIANTS = sorted((CHART / "ci").glob("*-values.yaml"))
KUBERNETES = "1.31.0"  # a helm built from source says 1.20
BASE = "/etc/leadglass"

Document = dict[str, Any]


def helm(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run Helm."""
    command = [tool("helm"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def read(text: str) -> list[Any]:
    """Return the documents of a YAML text, as Kubernetes reads them."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = "1.1"  # what Kubernetes reads: 0440 is a mode
    return list(yaml.load_all(StringIO(text)))


@cache
def rendered(values: Path, kubernetes: str = KUBERNETES) -> dict[tuple[str, str], Document]:
    """Return what the chart makes of these values, by kind and name."""
    done = helm("template", "r", CHART, "--namespace", "imaging", "--kube-version", kubernetes, "-f", values)
    assert done.returncode == 0, done.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in read(done.stdout) if one}


def one(values: Path, kind: str, suffix: str = "") -> Document:
    """Return one object, its name that of the Deployment and a suffix."""
    base = next(name for found, name in rendered(values) if found == "Deployment")
    return rendered(values)[kind, base + suffix]


def pod(values: Path) -> Document:
    """Return the pod's specification."""
    spec: Document = one(values, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(values: Path, name: str = "gateway") -> Document:
    """Return one of the pod's containers."""
    spec = pod(values)
    found: Document = next(
        each for each in (*spec["containers"], *spec.get("initContainers", ())) if each["name"] == name
    )
    return found


def lay_out(values: Path, folder: Path, generation: str) -> Path:
    """Lay the projected volume out as the kubelet does: links into a folder that the next update replaces."""
    content = one(values, "ConfigMap")["data"]
    made = folder / f"..{generation}"
    (volume,) = [volume for volume in pod(values)["volumes"] if volume["name"] == "config"]
    for source in volume["projected"]["sources"]:
        for item in next(iter(source.values()))["items"]:
            file = made / item["path"]
            assert not file.exists(), "two sources of one path"
            file.parent.mkdir(parents=True, exist_ok=True)
            text = content.get(item["key"], "user:password") if "configMap" in source else "user:password"
            file.write_text(text.replace(BASE, str(folder)))
    (folder / "..data").unlink(missing_ok=True)
    (folder / "..data").symlink_to(made.name)
    for top in made.iterdir():
        if not (folder / top.name).is_symlink():
            (folder / top.name).symlink_to(f"..data/{top.name}")
    return folder / "leadglass.yaml"
