"""What all ways share: which client takes gzip, and that a denial is written before it is raised."""

import pytest

from leadglass.access.reply import takes_gzip
from leadglass.model.request import CleanRequest, Headers
from support.gateway import MR, Running


@pytest.mark.parametrize(
    ("value", "takes"),
    [
        (None, False),
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("br,gzip ; q=0.001", True),
        ("*", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, identity", False),
        ("x-gzipped", False),
        ("notgzip", False),
        ("", False),
    ],
)
def test_who_takes_gzip(value: str | None, takes: bool) -> None:  # noqa: FBT001 - a column of the table
    headers = Headers({} if value is None else {"accept-encoding": value})
    request = CleanRequest("GET", "/", (), (), "pacs.example.org", headers)
    assert takes_gzip(request) is takes


async def test_a_denial_is_one_line_of_the_record(run: Running) -> None:
    answer = await run.ask(f"/dicom-web/studies/{MR.uid}/metadata")
    assert [line["type"] for line in run.about(answer)] == ["decision"]


async def test_a_denial_is_never_held_as_a_lease(run: Running) -> None:
    token = run.token()
    for _ in range(2):
        answer = await run.ask(f"/dicom-web/studies/{MR.uid}/metadata", token=token)
        assert run.about(answer)[0]["type"] == "decision"
    assert len(run.gateway.policy.leases) == 0
