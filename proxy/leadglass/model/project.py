"""A project: people who see the archive under pseudonyms of its own."""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Project:
    """A project as it is now. `profile` names how it is de-identified, `generation` counts its keys from 1.

    `created` and `destroyed` (when its keys were, if ever) are epoch seconds.
    """

    name: str
    title: str
    profile: str
    created: float
    created_by: str
    state: Literal["open", "closed"]
    generation: int
    destroyed: float | None = None

    def document(self, moment: Any) -> dict[str, Any]:  # noqa: ANN401 - a function from seconds to text
        """Return it as administrators see it; `moment` writes times."""
        return {
            "name": self.name,
            "title": self.title,
            "profile": self.profile,
            "created": moment(self.created),
            "created_by": self.created_by,
            "state": self.state,
            "generation": self.generation,
            "key_destroyed": None if self.destroyed is None else moment(self.destroyed),
        }
