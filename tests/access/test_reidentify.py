"""Who a pseudonym stands for: asked on the machine, confirmed by a person who is freshly signed in, told once."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from leadglass.access.reidentify import ACTION, Asked, Reidentify, is_pseudonym
from leadglass.codec.control import TRANSACTIONS
from leadglass.deid.pseudonyms import Patient
from leadglass.limits import REIDENTIFY_HELD, REIDENTIFY_SECONDS
from leadglass.model.errors import Refusal
from support.device import ADMIN
from support.gateway import CT, MR, OWNER, SR, US
from support.oidc import ORIGIN, V1, Browser, Site, site
from support.views import Viewing, viewing

PAGE = V1 + "reidentify"
FROM_PAGE = ("Sec-Fetch-Mode: navigate", f"Origin: {ORIGIN}", "Sec-Fetch-Site: same-origin")
REASON = "incidental finding"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, roles=("privacy-officer",)) as opened:
        assert await opened.run.gateway.projects.create("lung", "Lung", "basic", ADMIN)
        yield opened


def desk(place: Site) -> Reidentify:
    return place.run.gateway._reidentify


async def shown(place: Site) -> str:
    """Return the PatientID that people of a project see of a patient."""
    projects = place.run.gateway.projects
    project = projects.get("lung")
    made = projects.pseudonyms(project, Patient.of("hospital", "4711"), 365)
    pseudonym = made.patient_id
    await projects.keep(project, made.take())
    return pseudonym


async def question(place: Site) -> Asked:
    return await desk(place).ask("lung", await shown(place), REASON, ADMIN)


async def officer(place: Site) -> Browser:
    """Return the browser of a person who may confirm, on their device."""
    browser = await place.signed_in()
    assert (await browser.prove(place.run.agent)).status == 200
    return browser


async def say(browser: Browser, asked: Asked, answer: str = "yes", **more: str) -> Any:  # noqa: ANN401 - an Answer
    return await browser.post(PAGE, {"request": asked.id, "answer": answer, **more})


def reasons(answer: Any) -> list[str]:  # noqa: ANN401 - likewise
    found: list[str] = answer.json["reasons"]
    return found


async def test_it_is_told_once_to_whoever_asked_when_a_person_confirmed(place: Site) -> None:
    asked, browser = await question(place), await officer(place)
    assert desk(place).answer(asked.id, ADMIN) is asked
    assert asked.state == "waiting"
    page = await browser.look(f"{PAGE}?request={asked.id}")
    assert page.status == 200
    for said in ("lung", asked.pseudonym, REASON, "root"):
        assert said.encode() in page.body
    assert b"4711" not in page.body, "who confirms is not told"
    done = await browser.post(PAGE, {"request": asked.id, "answer": "yes"}, *FROM_PAGE)
    assert (done.status, b"4711" in done.body) == (200, False)
    told = desk(place).answer(asked.id, ADMIN)
    assert told is not None
    assert (told.state, told.found) == (
        "confirmed", [{"kind": "patient-id", "original": "4711", "issuer": "hospital"}],
    )  # fmt: skip
    assert desk(place).answer(asked.id, ADMIN) is None, "it is told once"
    assert reasons(await say(browser, asked)) == ["reidentification-unknown"]


async def test_the_record_has_all_of_it_but_who_it_is(place: Site) -> None:
    asked, browser = await question(place), await officer(place)
    await say(browser, asked)
    (begun,), (done,) = place.events("reidentification-asked"), place.events("reidentified")
    assert (begun["project"], begun["pseudonym"], begun["reason"], begun["by"]) == (
        "lung", asked.pseudonym, REASON, ADMIN,
    )  # fmt: skip
    assert {**begun, **done} == done
    assert (done["subject"], done["issuer"], done["found"]) == (OWNER, place.oidc.url, ["patient-id"])
    assert done["decision_id"]
    assert b"4711" not in (place.run.folder / "var/decisions.jsonl").read_bytes()


async def test_a_person_may_refuse(place: Site) -> None:
    asked, browser = await question(place), await officer(place)
    assert (await say(browser, asked, "no")).status == 200
    told = desk(place).answer(asked.id, ADMIN)
    assert told is not None
    assert (told.state, told.found) == ("refused", [])
    (refused,) = place.events("reidentification-refused")
    assert refused["subject"] == OWNER
    assert place.events("reidentified") == []


async def test_an_answer_is_yes_or_no(place: Site) -> None:
    asked, browser = await question(place), await officer(place)
    assert reasons(await say(browser, asked, "perhaps")) == ["http-malformed"]
    assert asked.state == "waiting"


async def test_a_page_elsewhere_confirms_nothing(place: Site) -> None:
    asked, browser = await question(place), await officer(place)
    form = {"request": asked.id, "answer": "yes"}
    answer = await browser.post(PAGE, form, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
    assert answer.status == 403
    assert asked.state == "waiting"


async def test_nobody_else_confirms(place: Site) -> None:
    asked = await question(place)
    stranger = place.browser()
    assert reasons(await say(stranger, asked)) == ["user-unauthenticated"]
    place.oidc.roles = ("radiologist",)
    assert reasons(await say(await officer(place), asked)) == ["not-granted"]
    place.oidc.roles = ("privacy-officer",)
    unproven = await place.signed_in()
    assert "device-required" in reasons(await say(unproven, asked))
    revoked = await officer(place)
    await place.run.gateway.revocations.revoke("user", OWNER, "gone", None, ADMIN)
    assert reasons(await say(revoked, asked)) == ["access-revoked"]
    assert (asked.state, place.events("reidentified")) == ("waiting", [])


async def test_an_old_or_weak_sign_in_is_asked_for_again_and_comes_back(place: Site) -> None:
    asked = await question(place)
    place.oidc.auth_age = 601
    old = await officer(place)
    assert "fresh-sign-in-required" in reasons(await say(old, asked))
    page = await old.look(f"{PAGE}?request={asked.id}")
    back = quote(f"{PAGE}?request={asked.id}", safe="")
    assert re.search(f'href="[^"]*return={re.escape(back)}'.encode(), page.body)
    place.oidc.auth_age, place.oidc.acr = 0, "pwd"
    assert "mfa-required" in reasons(await say(await officer(place), asked))
    assert asked.state == "waiting"


async def test_tables_loosen_neither_second_factor_nor_freshness(tmp_path: Path) -> None:
    data = tmp_path / "policies/data"
    data.mkdir(parents=True)
    (data / "step_up.yaml").write_text("actions: {}\n")
    async with site(tmp_path, roles=("privacy-officer",)) as place:
        assert await place.run.gateway.projects.create("lung", "Lung", "basic", ADMIN)
        asked = await question(place)
        place.oidc.auth_age = 601
        old = await say(await officer(place), asked)
        assert reasons(old) == ["not-granted"]
        place.oidc.auth_age = 0
        assert (await say(await officer(place), asked)).status == 200


async def test_its_time_ends(place: Site) -> None:
    asked, browser = await question(place), await officer(place)
    place.run.clock.advance(REIDENTIFY_SECONDS)
    assert desk(place).answer(asked.id, ADMIN) is None
    place.run.clock.advance(-REIDENTIFY_SECONDS)
    assert reasons(await say(browser, asked)) == ["reidentification-unknown"]


async def test_only_whoever_asked_is_told(place: Site) -> None:
    asked, browser = await question(place), await officer(place)
    await say(browser, asked)
    assert desk(place).answer(asked.id, {"uid": 1000}) is None
    assert desk(place).answer(asked.id, ADMIN) is asked


async def test_so_many_wait(place: Site) -> None:
    for _ in range(REIDENTIFY_HELD):
        await question(place)
    with pytest.raises(Refusal, match="rate-limited"):
        await question(place)
    place.run.clock.advance(REIDENTIFY_SECONDS)
    await question(place)


async def test_of_two_that_confirm_one_does(place: Site) -> None:
    asked, browser = await question(place), await officer(place)
    answers = await asyncio.gather(say(browser, asked), say(browser, asked))
    assert sorted(one.status for one in answers) == [200, 404]
    assert len(place.events("reidentified")) == 1


async def test_what_cannot_be_recorded_is_not_told(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, browser = await question(place), await officer(place)

    async def broken(_kind: str, _fields: object) -> None:
        raise Refusal

    monkeypatch.setattr(desk(place)._events, "record_event", broken)
    assert (await say(browser, asked)).status >= 500
    assert (asked.state, asked.found) == ("waiting", [])


async def test_a_rotated_or_closed_project_tells_and_a_destroyed_one_does_not(place: Site) -> None:
    projects, browser = place.run.gateway.projects, await officer(place)
    first, second = await question(place), await question(place)
    await projects.rotate("lung", ADMIN)
    await projects.close("lung", ADMIN)
    await say(browser, first)
    assert [one["original"] for one in first.found] == ["4711"]
    await projects.destroy("lung", ADMIN)
    await say(browser, second)
    assert (second.state, second.found) == ("confirmed", [])


@pytest.mark.parametrize("text", ["Doe^John", "4711", "1.2.3", "ABCDEFGHIJKLMNOP", "0123456789abcdef", "2.25.1", ""])
def test_what_may_be_a_name_is_no_pseudonym(text: str) -> None:
    assert not is_pseudonym(text)


def test_pseudonyms_look_like_pseudonyms() -> None:
    assert is_pseudonym("0123456789ABCDEF")
    assert is_pseudonym("2.25.117570278973537996769800693687333333133")


async def named(view: Viewing) -> dict[str, str]:
    """Return the UIDs of the studies that a view shows, each with its PatientID."""
    rows: Any = await view.studies()
    return {row["0020000D"]["Value"][0]: row["00100020"]["Value"][0] for row in rows}


async def test_what_a_view_showed_is_told_also_when_it_opens_nothing_any_more(tmp_path: Path) -> None:
    async with viewing(tmp_path) as view:
        projects, before = view.run.gateway.projects, await named(view)
        assert before
        await projects.rotate("lung", ADMIN)
        for uid, patient in before.items():
            assert (await view.ask(f"/dicom-web/studies/{uid}/metadata")).status == 404
            (study,) = await projects.reidentify("lung", uid)
            (whose,) = await projects.reidentify("lung", patient)
            assert study["original"] in {CT.uid, MR.uid, US.uid, SR.uid}
            assert whose["kind"] == "patient-id"
        after = await named(view)
        assert len(after) == len(before)
        assert before.keys().isdisjoint(after)


def test_its_transaction_is_one_that_roles_may_name() -> None:
    assert ACTION.transaction in TRANSACTIONS
