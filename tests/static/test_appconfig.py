import json
from typing import Any, get_args

import pytest

from leadglass.static.appconfig import Root, app_config
from leadglass.upstream.settings import UpstreamSettings


def config(script: bytes) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(script.partition(b"window.config = ")[2].partition(b";\n")[0])
    return made


def source(kind: str) -> dict[str, Any]:
    (one,) = config(app_config("/", [Root("main", "/dicom-web", "/wado", kind)]))["dataSources"]
    made: dict[str, Any] = one["configuration"]
    return made


@pytest.mark.parametrize("mount", ["/", "/viewer"])
def test_the_roots_are_the_gateways_on_the_viewers_own_origin(mount: str) -> None:
    script = app_config(mount, [Root("main", "/dicom-web", "/wado", "orthanc")])
    made = config(script)
    assert made["routerBasename"] == mount
    assert made["defaultDataSourceName"] == made["dataSources"][0]["sourceName"]
    roots = made["dataSources"][0]["configuration"]
    assert (roots["qidoRoot"], roots["wadoRoot"], roots["wadoUriRoot"]) == ("/dicom-web", "/dicom-web", "/wado")
    assert b"= location.origin + configuration[root]" in script
    assert b"http" not in script


def test_what_is_asked_of_an_archive_depends_on_its_kind() -> None:
    assert "singlepart" not in source("orthanc")
    assert source("dcm4chee")["singlepart"] == "bulkdata,video"
    fuzzy = {kind: source(kind)["supportsFuzzyMatching"] for kind in ("orthanc", "dcm4chee", "generic")}
    assert fuzzy == {"orthanc": False, "dcm4chee": True, "generic": False}


def test_every_kind_of_archive_has_its_row() -> None:
    for kind in get_args(UpstreamSettings.model_fields["kind"].annotation):
        assert source(kind)["name"] == "dicomweb"


MAIN, VNA = Root("main", "/dicom-web", "/wado", "orthanc"), Root("vna", "/vna/rs", "/vna/wado", "dcm4chee")


@pytest.mark.parametrize(
    ("roots", "names"),
    [
        ([MAIN], ["dicomweb"]),
        ([MAIN, VNA], ["dicomweb", "vna"]),
        ([MAIN, VNA._replace(name="dicomweb")], ["main", "dicomweb"]),
    ],
)
def test_the_viewer_knows_every_archive_and_opens_the_first(roots: list[Root], names: list[str]) -> None:
    made = config(app_config("/", roots))
    sources = made["dataSources"]
    assert [one["sourceName"] for one in sources] == names
    assert [one["configuration"]["qidoRoot"] for one in sources] == [root.dicomweb for root in roots]
    assert made["defaultDataSourceName"] == names[0]
    assert len({one["configuration"]["friendlyName"] for one in sources}) == len(roots)
