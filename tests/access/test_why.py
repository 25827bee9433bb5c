"""Why something was refused: for the session that was refused, and no more than it may know."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leadglass.access.why import Why
from leadglass.limits import REFUSALS_KEPT, REFUSALS_KEPT_SECONDS
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Refusal
from leadglass.policy.explain import Personal
from support.clock import FakeClock
from support.gateway import CT, MR
from support.oidc import V1, Browser, Site, site
from support.policy import policy, question, subject

PATH = V1 + "why?decision="
METADATA = f"/dicom-web/studies/{CT.uid}/metadata"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as opened:
        yield opened


async def refused(browser: Browser, path: str) -> str:
    return (await browser.ask(path)).decision_id


async def test_the_person_is_told_what_would_help(place: Site) -> None:
    browser = await place.signed_in()
    await place.run.tell("fail")
    decision = await refused(browser, METADATA)
    said = (await browser.ask(PATH + decision)).json
    assert (said["decision_id"], said["reasons"]) == (decision, ["posture-failed"])
    assert "firewall" in said["why"][0]
    assert any("firewall" in step for step in said["helps"])
    page = await browser.look(PATH + decision)
    assert (page.status, b"What would help" in page.body) == (200, True)


async def test_the_refusal_page_leads_there(place: Site) -> None:
    browser = await place.signed_in()
    await place.run.tell("fail")
    page = await browser.look(METADATA)
    assert f'href="{PATH}{page.decision_id}"'.encode() in page.body


async def test_a_hidden_study_and_an_absent_one_read_alike(place: Site) -> None:
    browser = await place.signed_in()
    said = []
    for uid in (MR.uid, MR.uid + "9"):
        answer = (await browser.ask(PATH + await refused(browser, f"/dicom-web/studies/{uid}/metadata"))).json
        said.append((answer["reasons"], answer["why"], answer["helps"]))
    assert said[0] == said[1]
    assert said[0][0] == ["study-not-visible"]


async def test_whoever_said_so(place: Site) -> None:
    """A hidden study is policy's word, a series that is not there another's: having an explanation must not tell which."""
    browser = await place.signed_in()
    said, pages = [], []
    for path in (f"{MR.uid}/metadata", f"{CT.uid}/series/1.2.3/metadata"):
        answer = await browser.ask(PATH + await refused(browser, f"/dicom-web/studies/{path}"))
        assert answer.status == 200
        said.append((answer.json["reasons"], answer.json["why"], answer.json["helps"]))
        page = await browser.look(f"/dicom-web/studies/{path}")
        pages.append(f"{PATH}{page.decision_id}".encode() in page.body)
    assert said[0] == said[1]
    assert pages == [True, True]


async def test_nobody_else_is_told(place: Site) -> None:
    browser = await place.signed_in()
    await place.run.tell("fail")
    decision = await refused(browser, METADATA)
    for other in (place.browser(), await place.signed_in()):
        answer = await other.ask(PATH + decision)
        assert (answer.status, answer.reasons) == (403, ["route-unknown"])


async def test_a_refusal_of_a_token_is_not_kept(place: Site) -> None:
    answer = await place.run.ask(METADATA, token=place.run.token("nobody"))
    browser = await place.signed_in()
    assert (await browser.ask(PATH + answer.decision_id)).status == 403


async def test_what_is_kept_is_bounded_and_ends() -> None:
    clock = FakeClock()
    judge = policy(clock)
    why = Why(judge, clock)
    asked = question(clock, subject=subject(clock, roles=(), session="s1"))
    for number in range(REFUSALS_KEPT + 1):
        why.keep(asked, await judge.decide(asked, f"D{number}"))
    assert (why.knows("D0"), why.knows("D1"), why.knows(f"D{REFUSALS_KEPT}")) == (False, True, True)
    clock.advance(REFUSALS_KEPT_SECONDS)
    with pytest.raises(Refusal, match="route-unknown"):
        await why.explain("D1", PeerFacts("X", "192.0.2.1", session="s1"))
    assert not why.knows("D1")


async def test_a_session_asks_one_at_a_time_and_takes_the_turn_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, go_on = FakeClock(), threading.Event()
    judge = policy(clock)
    why = Why(judge, clock)
    for session in ("s1", "s2"):
        asked = question(clock, subject=subject(clock, roles=(), session=session))
        for number in range(2):
            why.keep(asked, await judge.decide(asked, f"{session}{number}"))

    def slow(_files: object, _judged: bytes) -> Personal:
        go_on.wait(5)
        return Personal(("x",), (), ())

    monkeypatch.setattr("leadglass.access.why._explained", slow)
    first, other = (
        asyncio.create_task(why.explain(f"{session}0", PeerFacts("X", "192.0.2.1", session=session)))
        for session in ("s1", "s2")
    )
    await asyncio.sleep(0)
    with pytest.raises(Refusal, match="rate-limited"):
        await why.explain("s11", PeerFacts("X", "192.0.2.1", session="s1"))
    go_on.set()
    assert [(await first).codes, (await other).codes] == [("x",), ("x",)]
    assert (await why.explain("s11", PeerFacts("X", "192.0.2.1", session="s1"))).codes == ("x",)
