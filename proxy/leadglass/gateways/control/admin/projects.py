"""Projects on the admin socket: made, listed, given new keys, closed; and who a pseudonym stands for."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, TypeAlias

from aiohttp import web

from leadglass.access.emergency import words
from leadglass.access.reidentify import Reidentify, is_pseudonym
from leadglass.clock import rfc3339
from leadglass.codec.control import REIDENTIFY
from leadglass.devices.forms import Malformed, members, text
from leadglass.devices.inventory import By
from leadglass.gateways.control.problems import fault, reply
from leadglass.hazmat.mac import KEY_BYTES
from leadglass.limits import PROJECT_TITLE_CHARS, UID_CHARS
from leadglass.model.project import NAME, Project
from leadglass.projects.projects import Projects

Endpoint: TypeAlias = Callable[[web.Request, By], Awaitable[web.Response]]

_NAME_CHARS: Final = 64
_HEX: Final = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")


class ProjectDesk:
    """The endpoints. `profiles` names those that can be shown; it may say None while none are loaded."""

    def __init__(
        self, projects: Projects, reidentify: Reidentify, profiles: Callable[[], Collection[str] | None]
    ) -> None:
        self._projects, self._reidentify, self._profiles = projects, reidentify, profiles

    def endpoints(self) -> Mapping[tuple[str, str], Endpoint]:
        """Return method and path -> endpoint."""
        return {
            ("POST", "/projects"): self.create,
            ("GET", "/projects"): self.list,
            ("POST", "/projects/{name}/rotate"): self.rotate,
            ("POST", "/projects/{name}/close"): self.close,
            ("POST", "/projects/{name}/reidentify"): self.ask,
            ("GET", "/reidentifications/{id}"): self.answer,
        }

    async def create(self, request: web.Request, by: By) -> web.Response:
        """Make a project."""
        form = members(await request.read(), frozenset({"name", "title", "profile", "key"}))
        name, profile = text(form, "name", _NAME_CHARS), text(form, "profile", _NAME_CHARS)
        title = words(text(form, "title", PROJECT_TITLE_CHARS), PROJECT_TITLE_CHARS)
        if NAME.fullmatch(name) is None or title is None:
            raise Malformed("name or title")
        key = None if form["key"] is None else _key(text(form, "key", 2 * KEY_BYTES))
        known = self._profiles()
        if known is not None and profile not in known:
            return fault(404, "No such profile", f"no profile is called {profile}", f"there are {', '.join(known)}")
        made = await self._projects.create(name, title, profile, by, key)
        if made is None:
            return fault(
                409, "It exists", f"a project {name}, or one with this key, is there already", "choose another"
            )
        return reply(made.document(rfc3339), 201)

    async def list(self, _request: web.Request, _by: By) -> web.Response:
        """List all projects."""
        return reply({"projects": self._projects.all()})

    async def rotate(self, request: web.Request, by: By) -> web.Response:
        """Give a project a new key."""
        return _told(await self._projects.rotate(request.match_info["name"], by))

    async def close(self, request: web.Request, by: By) -> web.Response:
        """Close a project; with `destroy`, for good."""
        form = members(await request.read(), frozenset({"destroy"}))
        if not isinstance(form["destroy"], bool):
            raise Malformed("destroy")
        act = self._projects.destroy if form["destroy"] else self._projects.close
        return _told(await act(request.match_info["name"], by))

    async def ask(self, request: web.Request, by: By) -> web.Response:
        """Ask who a pseudonym stands for; a person has to confirm it."""
        form = members(await request.read(), frozenset({"pseudonym", "reason"}))
        pseudonym, reason = text(form, "pseudonym", UID_CHARS), words(text(form, "reason"))
        if reason is None or not is_pseudonym(pseudonym):
            raise Malformed("reason, or no pseudonym")
        project = self._projects.one(request.match_info["name"])
        if project is None:
            return _told(None)
        if project.destroyed is not None:
            return fault(409, "Nobody can tell", "the keys of this project were destroyed", "nothing brings them back")
        asked = await self._reidentify.ask(project.name, pseudonym, reason, by)
        path = f"{REIDENTIFY}?request={asked.id}"
        return reply({"request": asked.id, "confirm": path, "ends": rfc3339(asked.ends)}, 201)

    async def answer(self, request: web.Request, by: By) -> web.Response:
        """Tell how it stands, and once, when somebody has confirmed it, who it is."""
        asked = self._reidentify.answer(request.match_info["id"], by)
        if asked is None:
            return fault(404, "No such question", "nobody confirmed it in time", "ask again")
        return reply({"state": asked.state, "found": asked.found})


def _key(digits: str) -> bytes:
    if not _HEX.fullmatch(digits):
        raise Malformed("key")
    return bytes.fromhex(digits)


def _told(project: Project | None) -> web.Response:
    if project is None:
        return fault(404, "No such project", "no project is called so", "`leadglass project list` shows all")
    return reply(project.document(rfc3339))
