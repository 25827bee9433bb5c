import pytest

from leadglass.codec.routes import ROUTES, Table
from leadglass.codec.target import parse_target
from leadglass.codec.workitem import FILTERED, WORKLIST
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest, Headers

ALL = Table(enabled={route.transaction for route in ROUTES})


def request(target: str, method: str, headers: dict[str, str] | None = None, length: int = 0) -> CleanRequest:
    path, segments, query = parse_target(target.encode())
    opens = "accept" if segments[1] == "subscribers" else None
    return CleanRequest(
        method, path, segments, query, "pacs.example.org", Headers(headers or {}), length, websocket=opens
    )


def test_workitems_are_named_by_the_instance_that_they_are_and_who_subscribes() -> None:
    def resource(target: str, method: str) -> dict[str, object]:
        return ALL.match(request("/dicom-web" + target, method)).resource.document()

    assert resource("/workitems/1.2", "GET") == {"type": "workitem", "instance_uid": "1.2"}
    subscribing = {"type": "workitem", "instance_uid": "1.2", "aet": "AE"}
    assert resource("/workitems/1.2/subscribers/AE?deletionlock=true", "POST") == subscribing
    assert resource(f"/workitems/{WORKLIST}/subscribers/AE", "POST") == {"type": "worklist", "aet": "AE"}
    assert resource("/subscribers/AE", "GET") == {"type": "workitem", "aet": "AE"}
    at = f"/workitems/{FILTERED}/subscribers/AE?filter=ProcedureStepState=IN%20PROGRESS,00404041=READY"
    found = ALL.match(request("/dicom-web" + at, "POST"))
    assert found.resource.query == {"00741000": ("IN PROGRESS",), "00404041": ("READY",)}
    assert found.ask.query == "filter=00404041%3DREADY,00741000%3DIN%20PROGRESS"


NO_WORKLIST = [
    ("GET", f"/workitems/{WORKLIST}"),
    ("POST", f"/workitems/{FILTERED}?transaction=1.2"),
    ("PUT", f"/workitems/{WORKLIST}/state"),
    ("POST", "/workitems/1.2/subscribers/AE/suspend"),
]


@pytest.mark.parametrize(("method", "target"), NO_WORKLIST)
def test_the_worklist_is_no_workitem_and_a_workitem_no_worklist(method: str, target: str) -> None:
    with pytest.raises(Refusal) as caught:
        ALL.match(request("/dicom-web" + target, method, {"content-type": "application/dicom+json"}, 2))
    assert caught.value.causes[0].reason.code == Code.ROUTE_UNKNOWN
