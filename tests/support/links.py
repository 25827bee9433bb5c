"""Where links lead in tests: the archive's base, what stands for it, and a map that tells what it was asked."""

from leadglass.codec.links.bases import Bases

ARCHIVE = "http://pacs.test:8042/dicom-web"
PUBLIC = "https://gate.test/dicom-web"
EVIL = "https://evil.test/dicom-web/studies/1"


class Led:
    """A `model.ports.Links` that leads from ARCHIVE to PUBLIC, and keeps what led elsewhere."""

    def __init__(self) -> None:
        self._bases = Bases([(ARCHIVE, PUBLIC), (PUBLIC, PUBLIC)])
        self.foreign: list[str] = []

    def lead(self, link: str, *, data: bool = False) -> str | None:
        led = self._bases.lead(link)
        if led is None and data:
            return link
        if led is None:
            self.foreign.append(link)
        return led
