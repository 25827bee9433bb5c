"""Projects over the admin socket."""

from typing import Any

import aiohttp
import pytest

from support.control import Control

LUNG = {"name": "lung", "title": "Lung  study", "profile": "basic", "key": None}


async def ask(control: Control, method: str, path: str, form: object = None) -> tuple[int, dict[str, Any]]:
    connector = aiohttp.UnixConnector(path=str(control.admin))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, f"http://admin{path}", json=form) as reply,
    ):
        return reply.status, await reply.json(content_type=None)


async def test_one_is_made_rotated_closed_and_destroyed(control: Control) -> None:
    status, made = await ask(control, "POST", "/projects", LUNG)
    assert (status, made["name"], made["title"], made["state"], made["generation"]) == (
        201, "lung", "Lung study", "open", 1,
    )  # fmt: skip
    assert (await ask(control, "POST", "/projects", LUNG))[0] == 409
    assert (await ask(control, "POST", "/projects/lung/rotate"))[1]["generation"] == 2
    assert (await ask(control, "POST", "/projects/lung/close", {"destroy": False}))[1]["state"] == "closed"
    status, told = await ask(control, "POST", "/projects/lung/rotate")
    assert (status, told["reasons"]) == (403, ["project-closed"])
    assert (await ask(control, "POST", "/projects/lung/close", {"destroy": True}))[1]["key_destroyed"] is not None
    (listed,) = (await ask(control, "GET", "/projects"))[1]["projects"]
    assert (listed["name"], listed["state"]) == ("lung", "closed")
    kinds = ["project-created", "project-rotated", "project-closed", "project-key-destroyed"]
    assert control.site.events.kinds == kinds


@pytest.mark.parametrize(
    ("path", "form", "wanted"),
    [
        ("/projects", {**LUNG, "name": "Lung"}, 400),
        ("/projects", {**LUNG, "name": "../x"}, 400),
        ("/projects", {**LUNG, "title": " "}, 400),
        ("/projects", {**LUNG, "title": "a" * 257}, 400),
        ("/projects", {**LUNG, "more": 1}, 400),
        ("/projects", {**LUNG, "key": "ab" * 31}, 400),
        ("/projects", {**LUNG, "key": 7}, 400),
        ("/projects", {**LUNG, "profile": "none"}, 404),
        ("/projects/lung/close", {"destroy": 1}, 400),
        ("/projects/lung/close", {"destroy": True}, 404),
        ("/projects/lung/rotate", None, 404),
        ("/projects/lung/reidentify", {"pseudonym": "Doe^John", "reason": "why"}, 400),
        ("/projects/lung/reidentify", {"pseudonym": "0123456789ABCDEF", "reason": " "}, 400),
        ("/projects/lung/reidentify", {"pseudonym": "0123456789ABCDEF", "reason": "why"}, 404),
    ],
    ids=range(14),
)
async def test_what_cannot_be_done_is_said(control: Control, path: str, form: object, wanted: int) -> None:
    status, told = await ask(control, "POST", path, form)
    assert status == wanted
    assert told["detail"]
    assert control.site.events.lines == []


async def test_nobody_is_asked_for_whom_nobody_can_tell(control: Control) -> None:
    await ask(control, "POST", "/projects", LUNG)
    await ask(control, "POST", "/projects/lung/close", {"destroy": True})
    control.site.events.lines.clear()
    form = {"pseudonym": "0123456789ABCDEF", "reason": "why"}
    status, told = await ask(control, "POST", "/projects/lung/reidentify", form)
    assert (status, told["title"]) == (409, "Nobody can tell")
    assert control.site.events.lines == []
