"""Settings of an Orthanc that nothing is to be said of."""

from typing import Any

PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
# A gateway's dream: nothing to say of it.
QUIET: dict[str, Any] = {
    "RemoteAccessAllowed": False, "AuthenticationEnabled": True, "RegisteredUsers": {"leadglass": "s3cret"}, "Plugins": [PLUGIN],
    "DicomServerEnabled": False, "WebDavEnabled": False, "OrthancExplorerEnabled": False, "HttpDescribeErrors": False,
}  # fmt: skip
