import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.routes import ROUTES, RouteMatch, Table
from leadglass.codec.target import parse_target
from leadglass.codec.workitem import FILTERED, WORKLIST
from leadglass.limits import FRAMES_LISTED, SEARCH_ROWS, STUDY_ROWS
from leadglass.model.errors import ConfigurationError, Refusal
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest, Headers

TABLE = Table()
ALL = Table(enabled={route.transaction for route in ROUTES})
S, E, I = "/studies/1.2.3", "/studies/1.2.3/series/4.5", "/studies/1.2.3/series/4.5/instances/6.7"  # noqa: E741 - as in the table
DICOM = 'multipart/related; type="application/dicom"'
STORE = {"content-type": f"{DICOM}; boundary=x"}
WADO = "/wado?requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4"


def request(target: str, method: str = "GET", headers: dict[str, str] | None = None, length: int = 0) -> CleanRequest:
    path, segments, query = parse_target(target.encode())
    return CleanRequest(method, path, segments, query, "pacs.example.org", Headers(headers or {}), length)


def match(target: str, method: str = "GET", headers: dict[str, str] | None = None, length: int = 0) -> RouteMatch:
    mounted = target if target.startswith("/wado") else "/dicom-web" + target
    return TABLE.match(request(mounted, method, headers, length))


def code_of(caught: pytest.ExceptionInfo[Refusal]) -> str:
    return caught.value.causes[0].reason.code


FOUND = [
    ("/studies", "qido-rs.studies", "study", "search"),
    (S + "/series", "qido-rs.study-series", "series", "search"),
    (S + "/instances", "qido-rs.study-instances", "instance", "search"),
    ("/series", "qido-rs.series", "series", "search"),
    (E + "/instances", "qido-rs.series-instances", "instance", "search"),
    ("/instances", "qido-rs.instances", "instance", "search"),
    (S, "wado-rs.study", "study", "retrieve"),
    (E, "wado-rs.series", "series", "retrieve"),
    (I, "wado-rs.instance", "instance", "retrieve"),
    (S + "/metadata", "wado-rs.study-metadata", "study", "retrieve"),
    (E + "/metadata", "wado-rs.series-metadata", "series", "retrieve"),
    (I + "/metadata", "wado-rs.instance-metadata", "instance", "retrieve"),
    (S + "/bulkdata", "wado-rs.study-bulkdata", "study", "retrieve"),
    (E + "/bulkdata", "wado-rs.series-bulkdata", "series", "retrieve"),
    (I + "/bulkdata", "wado-rs.instance-bulkdata", "instance", "retrieve"),
    (I + "/bulk/7fe00010", "wado-rs.bulkdata", "bulkdata", "retrieve"),
    (I + "/bulkdata/7fe00010", "wado-rs.bulkdata", "bulkdata", "retrieve"),
    (S + "/pixeldata", "wado-rs.study-pixeldata", "study", "retrieve"),
    (E + "/pixeldata", "wado-rs.series-pixeldata", "series", "retrieve"),
    (I + "/pixeldata", "wado-rs.instance-pixeldata", "instance", "retrieve"),
    (I + "/frames/1", "wado-rs.frames", "frames", "retrieve"),
    (I + "/frames/3,1,2", "wado-rs.frames", "frames", "retrieve"),
    (S + "/rendered", "wado-rs.study-rendered", "study", "render"),
    (E + "/rendered", "wado-rs.series-rendered", "series", "render"),
    (I + "/rendered", "wado-rs.instance-rendered", "instance", "render"),
    (I + "/frames/1/rendered", "wado-rs.frames-rendered", "frames", "render"),
    (S + "/thumbnail", "wado-rs.study-thumbnail", "study", "render"),
    (E + "/thumbnail", "wado-rs.series-thumbnail", "series", "render"),
    (I + "/thumbnail", "wado-rs.instance-thumbnail", "instance", "render"),
    (I + "/frames/1/thumbnail", "wado-rs.frames-thumbnail", "frames", "render"),
    *(
        (f"{at}/{view}", f"wado-rs.{level}-{name}", level, "render")
        for at, level in ((S, "study"), (E, "series"), (I, "instance"), (I + "/frames/1", "frames"))
        for view, name in (("renderedmpr", "mpr"), ("rendered3d", "3d"))
    ),
    (WADO, "wado-uri.rendered", "instance", "render"),
    (WADO + "&contentType=application/dicom", "wado-uri.object", "instance", "retrieve"),
]


@pytest.mark.parametrize(("target", "transaction", "kind", "act"), FOUND, ids=[row[0] for row in FOUND])
def test_a_transaction_is_found_and_asked_for_as_it_came(target: str, transaction: str, kind: str, act: str) -> None:
    found = match(target)
    assert found.route.transaction == transaction
    assert (found.action.transaction, found.action.name) == (transaction, act)
    assert found.resource.type == kind
    assert (found.resource.study_uid is not None) == ("1.2" in target)
    assert found.ask.authority == "pacs.example.org"
    assert found.ask.accept == found.route.media[0]
    if not target.startswith("/wado") and "bulk/" not in target and "bulkdata/" not in target:
        assert found.ask.path == target


def test_uids_frames_and_the_default_media_type_are_read() -> None:
    found = match(I + "/frames/2,10")
    assert found.resource.study_uid == "1.2.3"
    assert found.resource.series_uid == "4.5"
    assert found.resource.instance_uid == "6.7"
    assert found.resource.frames == (2, 10)
    assert found.ask.accept == 'multipart/related; type="application/octet-stream"'
    assert found.ask.traffic == "interactive"
    assert not found.ask.gzip
    assert match(I).ask.traffic == "bulk"
    assert match(S + "/metadata").ask.gzip


BULK = [
    ("7fe00010", "7FE00010", "7FE00010"),
    ("PatientName", "00100010", "00100010"),
    ("00100010", "00100010", "00100010"),
    ("0043102a", "0043102A", "0043102A"),
    ("fffcfffc", "FFFCFFFC", "FFFCFFFC"),
    ("BeamSequence/1/BeamName", "300A00B0.300A00C2", "300A00B0/1/300A00C2"),
    ("300a00b0/12/300A00C2", "300A00B0.300A00C2", "300A00B0/12/300A00C2"),
]


@pytest.mark.parametrize("word", ["bulk", "bulkdata"])
@pytest.mark.parametrize(("path", "attribute", "written"), BULK, ids=[row[0] for row in BULK])
def test_a_bulk_data_uri_names_the_attribute_it_is_judged_as(
    word: str, path: str, attribute: str, written: str
) -> None:
    found = match(f"{I}/{word}/{path}")
    assert found.resource.attribute == attribute
    assert found.ask.path == f"{I}/{word}/{written}"


def test_a_search_is_rebuilt_and_bound_to_its_path() -> None:
    found = match("/studies?PatientID=P%31&ModalitiesInStudy=CT")
    assert found.ask.query == f"00080061=CT&00100020=P1&limit={SEARCH_ROWS}"
    assert found.resource.query == {"00080061": ("CT",), "00100020": ("P1",)}
    assert found.search is not None
    assert found.search.added == ()
    inside = match(S + "/series?Modality=CT")
    assert inside.ask.query == f"00080060=CT&includefield=0020000D&limit={STUDY_ROWS}"
    assert inside.search is not None
    assert inside.search.added == ("0020000D",)
    with pytest.raises(Refusal) as caught:
        match(E + "/instances?SeriesInstanceUID=9.9")
    assert code_of(caught) == Code.QUERY_REFUSED


def test_rendering_keys_are_checked_sorted_and_encoded() -> None:
    found = match(I + "/rendered?window=40,400,linear&quality=90&accept=image/png")
    assert found.ask.query == "quality=90&window=40,400,linear"
    assert found.ask.accept == "image/png"


def test_a_wado_uri_request_is_rebuilt() -> None:
    found = match(WADO + "&frameNumber=2")
    assert found.ask.service == "wado-uri"
    assert found.ask.query == (
        "contentType=image/jpeg&frameNumber=2&objectUID=1.4&requestType=WADO&seriesUID=1.3&studyUID=1.2"
    )
    assert (found.resource.study_uid, found.resource.series_uid, found.resource.instance_uid) == ("1.2", "1.3", "1.4")
    assert found.resource.frames == (2,)


@pytest.mark.parametrize(("target", "study"), [("/studies", None), (S, "1.2.3")])
def test_a_store_is_taken_with_its_boundary(target: str, study: str | None) -> None:
    found = match(target, "POST", STORE, 10)
    assert found.route.judged == "parts"
    assert found.resource.study_uid == study
    assert found.body is not None
    assert found.body.boundary == "x"
    assert (found.ask.method, found.ask.length, found.ask.retry) == ("POST", 10, False)


REFUSED: list[tuple[str, str, Code]] = [
    *((f"GET {path}", "GET " + path, Code.ROUTE_UNKNOWN) for path in (
        "", "/study", "/Studies", "/studies/1.2.3/bogus", "/studies/1.2.3/series/4.5/bogus",
        I + "/bogus", I + "/frames", I + "/frames/1/bogus", I + "/frames/1/rendered/x", "/patients", "/tools/find",
        "/instances/1.2", "/series/1.2", "/studies/1.2/instances/1.3", "/studies/1.2/metadata/x",
    )),
    *((f"{method} {path}", f"{method} {path}", Code.ROUTE_UNKNOWN) for method, path in (
        ("HEAD", "/studies"), ("HEAD", I), ("PUT", "/studies"), ("POST", "/series"), ("DELETE", "/studies"),
        ("POST", I + "/frames/1"), ("OPTIONS", S), ("PUT", S), ("POST", S + "/series"), ("HEAD", I + "/bulk/00100010"),
    )),
    *((f"malformed UID {path}", "GET " + path, Code.UID_MALFORMED) for path in (
        "/studies/1.02", "/studies/abc", "/studies/1.2,1.3", "/studies/1" + ".2" * 40,
        "/studies/1.2/series/x", "/studies/1.2/series/rendered3d", E + "/instances/00", "/studies/series",
        "/studies/1.2/series/1.3/instances/0.01/frames/1",
    )),
    *((f"A12 frames {frames}", f"GET {I}/frames/{frames}", Code.HTTP_MALFORMED) for frames in (
        "0", "01", "1,01", "002", "1,1", "1,2,1", "+1", "-1", "1-3", "1,", ",1", "1,,2", "x", "1e3", "9999999999",
        ",".join(map(str, range(1, FRAMES_LISTED + 2))),
    )),
    *((f"attribute {path}", f"GET {I}/bulk/{path}", Code.HTTP_MALFORMED) for path in (
        "Bogus", "0010,0010", "00100010/1", "BeamSequence/0/BeamName", "BeamSequence/01/BeamName",
        "BeamSequence/x/BeamName", "BeamSequence/BeamName", "00020010", "0010001", "000000000",
        "/".join(["300A00B0", "1"] * 40 + ["300A00C2"]),
    )),
    *((f"WADO-URI {query}", f"GET /wado{query}", Code.QUERY_REFUSED) for query in (
        "?requestType=WADO", "?requestType=WADO&studyUID=1.2&seriesUID=1.3", "?studyUID=1.2&seriesUID=1.3&objectUID=1.4",
        WADO[5:] + "&studyUID=1.2", WADO[5:] + "&objectUID=9.9", WADO[5:] + "&StudyUID=9.9",
        WADO[5:].replace("WADO", "wado"), WADO[5:].replace("1.4", "1.4,1.5"), WADO[5:].replace("1.4", "01.4"),
        WADO[5:] + "&presentationUID=1.5&presentationSeriesUID=1.6", WADO[5:] + "&contentType=application/zip",
        WADO[5:] + "&contentType=image/jpeg,application/dicom", WADO[5:] + "&frameNumber=01", WADO[5:] + "&bogus=1",
        WADO[5:] + "&anonymize=no",
    )),
    ("WADO-URI by POST", "POST /wado", Code.ROUTE_UNKNOWN),
    ("WADO-URI below its mount", "GET /wado/x?" + WADO[6:], Code.ROUTE_UNKNOWN),
    ("query on an instance", f"GET {I}?accept=application/zip", Code.QUERY_REFUSED),
    ("query on frames", f"GET {I}/frames/1?x=1", Code.QUERY_REFUSED),
    ("B10 _method", f"GET {S}?_method=DELETE", Code.QUERY_REFUSED),
    ("query on a bulk data URI", f"GET {I}/bulk/00100010?x=1", Code.QUERY_REFUSED),
    ("unknown rendering key", f"GET {I}/rendered?presentationstate=1.2", Code.QUERY_REFUSED),
    ("rendering key twice", f"GET {I}/rendered?quality=9&quality=9", Code.QUERY_REFUSED),
    ("rendering key out of shape", f"GET {I}/rendered?quality=101", Code.QUERY_REFUSED),
    ("another object as volume input", f"GET {I}/renderedmpr?volumeinputreference=1.2", Code.QUERY_REFUSED),
    ("search key", "GET /studies?bogus=1", Code.QUERY_REFUSED),
    ("accept key out of what is offered", f"GET {I}/rendered?accept=image/tiff", Code.NOT_ACCEPTABLE),
]  # fmt: skip


@pytest.mark.parametrize(("line", "code"), [row[1:] for row in REFUSED], ids=[row[0][:70] for row in REFUSED])
def test_anything_else_is_refused(line: str, code: Code) -> None:
    method, _, target = line.partition(" ")
    with pytest.raises(Refusal) as caught:
        match(target, method)
    assert code_of(caught) == code


OFF = [
    ("DELETE", S, "delete.study"),
    ("DELETE", E, "delete.series"),
    ("DELETE", I, "delete.instance"),
    ("OPTIONS", "/studies", "capabilities"),
    ("OPTIONS", "", "capabilities"),
    ("GET", "/workitems", "ups-rs.search"),
    ("POST", "/workitems?workitem=1.2", "ups-rs.create"),
    ("GET", "/workitems/1.2", "ups-rs.retrieve"),
    ("PUT", "/workitems/1.2/state", "ups-rs.state"),
    ("POST", "/workitems/1.2/cancelrequest", "ups-rs.cancel"),
    ("POST", "/workitems/1.2/subscribers/AE", "ups-rs.subscribe"),
    ("DELETE", "/workitems/1.2/subscribers/AE", "ups-rs.unsubscribe"),
    ("POST", f"/workitems/{WORKLIST}/subscribers/AE", "ups-rs.subscribe-worklist"),
    ("DELETE", f"/workitems/{FILTERED}/subscribers/AE", "ups-rs.unsubscribe-worklist"),
    ("POST", f"/workitems/{WORKLIST}/subscribers/AE/suspend", "ups-rs.suspend"),
    ("GET", "/subscribers/AE", "ups-rs.events"),
    ("GET", "/inventories", "npi.search"),
    ("GET", "/hanging-protocols/1.2", "npi.retrieve"),
    ("POST", "/commitment-requests/1.2", "storage-commitment.request"),
    ("GET", "/servers", "orthanc.servers"),
    ("GET", "/servers/other", "orthanc.server"),
    ("PUT", "/servers/other", "orthanc.server-write"),
    ("DELETE", "/servers/other", "orthanc.server-delete"),
    ("POST", "/servers/other/stow", "orthanc.server-stow"),
    ("POST", "/servers/other/get", "orthanc.server-get"),
    ("GET", "/app/client/index.html", "orthanc.app"),
]


@pytest.mark.parametrize(("method", "target", "transaction"), OFF, ids=[f"{row[0]} {row[1]}" for row in OFF])
def test_a_row_that_is_off_says_its_name(method: str, target: str, transaction: str) -> None:
    with pytest.raises(Refusal) as caught:
        match(target, method)
    (cause,) = caught.value.causes
    assert cause.reason.code == Code.TRANSACTION_DISABLED
    assert cause.params == {"transaction": transaction}
    bodied = method in {"POST", "PUT"} and "/subscribers/" not in target
    takes = next(r for r in ROUTES if r.transaction == transaction).takes
    headers = {"content-type": takes[0]} if takes else {}
    asked = request("/dicom-web" + target, method, headers, 2 if bodied else 0)
    found = ALL.match(asked._replace(websocket="accept" if transaction == "ups-rs.events" else None))
    assert found.route.transaction == transaction
    assert found.ask.path == (target.partition("?")[0] or "/")


def test_a_body_where_none_is_taken_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        ALL.match(request("/dicom-web/workitems/1.2/subscribers/AE", "POST", {}, 5))
    assert code_of(caught) == Code.HTTP_MALFORMED


def test_only_methods_without_a_body_take_the_short_way() -> None:
    for route in ROUTES:
        if route.method in {"POST", "PUT"}:
            assert route.takes or "{" in route.template


def test_only_the_named_transaction_is_enabled() -> None:
    table = Table(enabled={"delete.instance"})
    assert table.match(request("/dicom-web" + I, "DELETE")).action.name == "delete"
    with pytest.raises(Refusal):
        table.match(request("/dicom-web" + S, "DELETE"))


def test_an_unknown_name_among_the_enabled_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match=r"delete\.everything"):
        Table(enabled={"delete.everything"})


@pytest.mark.parametrize(
    ("headers", "length", "code"),
    [
        ({}, 5, Code.MEDIA_TYPE_REFUSED),
        ({"content-type": "application/dicom"}, 5, Code.MEDIA_TYPE_REFUSED),
        ({"content-type": DICOM}, 5, Code.MEDIA_TYPE_REFUSED),
        ({"content-type": 'multipart/related; type="application/dicom+json"; boundary=x'}, 5, Code.MEDIA_TYPE_REFUSED),
        ({"content-type": "multipart/form-data; boundary=x"}, 5, Code.MEDIA_TYPE_REFUSED),
        ({"content-type": f"{DICOM}; boundary=x; boundary=y"}, 5, Code.MEDIA_TYPE_REFUSED),
        ({"content-type": f"{DICOM}; boundary={'x' * 71}"}, 5, Code.MEDIA_TYPE_REFUSED),
        ({**STORE, "accept": "application/dicom+xml"}, 5, Code.NOT_ACCEPTABLE),
    ],
)
def test_a_store_of_another_kind_is_refused(headers: dict[str, str], length: int, code: Code) -> None:
    with pytest.raises(Refusal) as caught:
        match("/studies", "POST", headers, length)
    assert code_of(caught) == code


def test_range_is_refused_not_ignored() -> None:
    for target in (I, I + "/frames/1", "/studies", WADO):
        with pytest.raises(Refusal) as caught:
            match(target, headers={"range": "bytes=0-1"})
        assert code_of(caught) == Code.HTTP_MALFORMED


def test_mounts_are_whole_segments() -> None:
    table = Table("/pacs/rs", "/pacs/uri")
    assert table.match(request("/pacs/rs/studies")).ask.path == "/studies"
    for target in ("/pacs/rsx/studies", "/pacs/studies", "/dicom-web/studies", "/pacs", "/pacs/uri/studies"):
        with pytest.raises(Refusal) as caught:
            table.match(request(target))
        assert code_of(caught) == Code.ROUTE_UNKNOWN
    assert Table("/", "/wado").match(request("/studies")).route.transaction == "qido-rs.studies"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="/studies1.2ranceframbulk0A,", max_size=60))
def test_no_path_is_forwarded_other_than_it_was_judged(text: str) -> None:
    try:
        found = match("/" + text)
    except Refusal:
        return
    assert found.ask.path.lower() == ("/" + text).lower() or found.resource.attribute


def test_a_channel_is_a_websocket_and_nothing_else_is() -> None:
    plain, opens = request("/dicom-web/subscribers/AE"), request("/dicom-web/studies")._replace(websocket="accept")
    for asked in (plain, opens, request(WADO)._replace(websocket="accept")):
        with pytest.raises(Refusal):
            ALL.match(asked)
    assert ALL.channels
    assert not TABLE.channels
