"""Notices by HTTP POST: `{"text": words, "notices": [...]}`. Chat services show `text`; scripts read the rest."""

import hashlib

import orjson

from leadglass.audit.settings import WebhookSettings
from leadglass.audit.sinks.notices import Notices, documents, sentences
from leadglass.limits import SINK_SECONDS
from leadglass.poster import Poster, bearer


class WebhookSink:
    """One receiver of notices."""

    def __init__(self, settings: WebhookSettings, notices: Notices) -> None:
        self.name = f"webhook-{hashlib.sha256(settings.url.encode()).hexdigest()[:8]}"
        self._notices = notices
        token = None if settings.token is None else settings.token.get_secret_value()
        fields = {"Content-Type": "application/json", **bearer(token)}
        self._poster = Poster(settings.url, fields, settings.ca, "notices.webhook.ca", seconds=SINK_SECONDS)

    def encode(self, lines: list[bytes]) -> bytes:
        """Return the notices that the lines amount to."""
        return self._notices.encode(lines)

    async def send(self, batch: bytes) -> None:
        """Post those that are due. Raises Undelivered."""
        due = self._notices.due(batch) if batch else []
        if due:
            text = "\n".join(sentences(due))
            await self._poster.post(orjson.dumps({"text": text, "notices": documents(due)}))
            self._notices.told(due)

    async def close(self) -> None:
        """Close the connection."""
        await self._poster.close()
