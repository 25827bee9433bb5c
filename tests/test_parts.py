from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leadglass import parts
from leadglass.attributes.settings import GeoSettings
from leadglass.epochs import Epochs
from leadglass.gateways.http.settings import CorsSettings, TlsSettings
from leadglass.hazmat.servercert import make_server_files
from leadglass.model.errors import ConfigurationError
from leadglass.model.request import CleanRequest, Headers
from leadglass.tasks import Tasks
from leadglass.traces.settings import TracesSettings
from leadglass.traces.tracer import Tracer
from leadglass.upstream.signer import Signer
from support.clock import FakeClock
from support.upstreams import settings as upstream


def settings(networks: Path | None = None) -> Any:  # noqa: ANN401 - stands for Settings
    return SimpleNamespace(networks=networks)


def active(tables: dict[str, object]) -> Any:  # noqa: ANN401 - stands for Active
    return SimpleNamespace(files=SimpleNamespace(tables=tables))


def test_devices_trust_the_cas_of_the_certificate_as_it_is_now(tmp_path: Path) -> None:
    made = make_server_files(tmp_path, ("localhost",), 1_800_000_000)
    context = {"base": tmp_path, "environ": {}}
    files = TlsSettings.model_validate_json(b'{"certificate": "server.pem", "key": "server.key"}', context=context)
    trust = parts.Trust(files)
    first = trust()
    assert first == (made.ca.read_text(),)
    made.certificate.unlink()
    assert trust() == first  # as it was, while it cannot be read
    make_server_files(tmp_path / "new", ("localhost",), 1_800_000_000).certificate.rename(made.certificate)
    assert trust() not in {first, ()}


def test_without_a_certificate_nothing_is_trusted() -> None:
    assert parts.Trust(None)() == ()


@pytest.mark.parametrize(
    ("tables", "names"),
    [
        ({"networks": {"networks": {"wards": ["10.0.0.0/8"]}}}, {"wards": ["10.0.0.0/8"]}),
        ({}, {}),
        ({"networks": 1}, {}),
    ],
)
def test_networks_are_those_of_the_policy_set(tables: dict[str, object], names: dict[str, list[str]]) -> None:
    assert parts.networks_of(settings(), active(tables)) == names


def test_a_file_of_networks_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "networks.yaml"
    file.write_text("networks: {office: [192.0.2.0/24]}\n")
    assert parts.networks_of(settings(file), active({"networks": {"networks": {}}})) == {"office": ["192.0.2.0/24"]}


class Part:
    def __init__(self, closed: list[str], name: str) -> None:
        self._closed, self._name = closed, name
        self.pool = SimpleNamespace(running=0)

    async def close(self) -> None:
        self._closed.append(self._name)


class Archive(Part):
    def close(self) -> None:  # type: ignore[override] # an Upstream closes at once
        self._closed.append(self._name)


def bundle(closed: list[str], **kept: Any) -> Any:  # noqa: ANN401 - stands for Reloadable
    names = ("identity", "providers", "transmitters", "sources", "geo", "tracer")
    made = {name: Part(closed, name) for name in names}
    archive = SimpleNamespace(upstream=Archive(closed, "upstream"), studies=Part(closed, "studies"))
    return SimpleNamespace(**{**made, "archives": {"main": archive}, **kept})


async def test_what_a_reload_keeps_stays_open() -> None:
    closed: list[str] = []
    old = bundle(closed)
    await parts.retire(old, bundle(closed, archives=old.archives, sources=old.sources, geo=old.geo))
    assert closed == ["identity", "providers", "transmitters", "tracer"]


async def test_what_a_reload_replaced_is_closed() -> None:
    closed: list[str] = []
    await parts.retire(bundle(closed), bundle(closed))
    assert sorted(closed) == [
        "geo",
        "identity",
        "providers",
        "sources",
        "studies",
        "tracer",
        "transmitters",
        "upstream",
    ]


async def test_what_traces_stays_unless_its_settings_change_and_hands_its_queue_on() -> None:
    def site(**traces: Any) -> Any:  # noqa: ANN401 - stands for Settings
        wanted = TracesSettings(**traces) if traces else None
        return SimpleNamespace(telemetry=SimpleNamespace(traces=wanted))

    def after(settings: Any, tracer: Tracer | None) -> Any:  # noqa: ANN401 - stands for Reloadable
        return SimpleNamespace(settings=settings, tracer=tracer)

    one, other = site(otlp="http://127.0.0.1:9"), site(otlp="http://127.0.0.1:10")
    first = parts.tracer_of(one, None, FakeClock())
    assert first is not None
    assert parts.tracer_of(site(otlp="http://127.0.0.1:9"), after(one, first), FakeClock()) is first
    second = parts.tracer_of(other, after(one, first), FakeClock())
    assert second is not None
    assert second is not first
    assert second.queue is first.queue
    assert parts.tracer_of(site(), after(other, second), FakeClock()) is None
    assert parts.tracer_of(site(), None, FakeClock()) is None
    for tracer in (first, second):
        await tracer.close()


def test_pages_of_other_origins_are_those_listed() -> None:
    nobody: Any = SimpleNamespace(cors=None)
    assert parts.cors_of(nobody) is None
    listed: Any = SimpleNamespace(cors=CorsSettings(origins=("https://a.example",), credentials=True))
    cors = parts.cors_of(listed)
    assert cors is not None
    asked = CleanRequest("GET", "/x", ("x",), (), "h", Headers({"origin": "https://a.example"}))
    assert dict(cors.shared(asked))[b"Access-Control-Allow-Credentials"] == b"true"


async def test_an_archive_stays_open_unless_it_changed_or_one_that_its_links_may_lead_to() -> None:
    clock, tasks = FakeClock(), Tasks()

    def ways(old: Any, **urls: str) -> tuple[Any, Any]:  # noqa: ANN401 - stands for Settings and Reloadable
        kinds = {"led": {"kind": "generic"}, "told": {"mount": "/told", "wado_mount": "/told-wado"}}
        upstreams = {name: upstream(url, **kinds[name]) for name, url in urls.items()}
        said: Any = SimpleNamespace(public_url=("https://gate.test",), upstreams=upstreams)
        made = parts.upstreams_of(said, old, clock, tasks, Signer(Path("none"), clock))
        archives = {name: SimpleNamespace(upstream=way) for name, way in made.items()}
        return made, SimpleNamespace(settings=said, archives=archives)

    first, old = ways(None, led="http://a.test", told="http://b.test")
    again, _ = ways(old, led="http://a.test", told="http://b.test")
    assert again == first
    other, old = ways(old, led="http://a.test", told="http://c.test")
    assert other["led"] is not first["led"]
    assert other["told"] is not first["told"]
    last, _ = ways(old, led="http://d.test", told="http://c.test")
    assert last["led"] is not other["led"]
    assert last["told"] is other["told"]
    for way in (*first.values(), *other.values(), *last.values()):
        way.close()
    await tasks.close()


async def test_an_archive_that_cannot_be_used_leaves_those_made_before_it_closed(tmp_path: Path) -> None:
    clock, tasks, signer = FakeClock(), Tasks(), Signer(Path("none"), FakeClock())
    pem = tmp_path / "ca.pem"
    pem.write_bytes(make_server_files(tmp_path, ("localhost",), 1_800_000_000).ca.read_bytes())
    kept, new = upstream("http://a.test"), upstream("https://b.test", ca=str(pem), mount="/b", wado_mount="/bw")
    broken = upstream("https://c.test", ca=str(tmp_path / "nix"), mount="/c", wado_mount="/cw")
    said: Any = SimpleNamespace(public_url=("https://gate.test",), upstreams={"kept": kept})
    (stays,) = parts.upstreams_of(said, None, clock, tasks, signer).values()
    old: Any = SimpleNamespace(settings=said, archives={"kept": SimpleNamespace(upstream=stays)})
    after: Any = SimpleNamespace(public_url=said.public_url, upstreams={"kept": kept, "new": new, "broken": broken})
    with pytest.raises(ConfigurationError, match="nix"):
        parts.upstreams_of(after, old, clock, tasks, signer)
    assert [task.cancelling() for task in tasks._running] == [1]  # nobody goes on watching the files of `new`
    assert not stays.pool._closed
    stays.close()
    await tasks.close()


@pytest.mark.parametrize("name", ["listen", "metrics", "admin", "audit", "notices", "store", None])
def test_what_a_reload_cannot_change_is_refused(name: str | None) -> None:
    fixed = dict.fromkeys(("listen", "metrics", "admin", "audit", "notices", "store"), 1)
    old, new = (
        SimpleNamespace(**fixed, limits=1),
        SimpleNamespace(**{**fixed, "limits": 2, **({name: 2} if name else {})}),
    )
    if name is None:
        parts.refuse_fixed(old, new)  # type: ignore[arg-type]  # stands for Settings
        return
    with pytest.raises(ConfigurationError, match=f"{name} cannot change") as caught:
        parts.refuse_fixed(old, new)  # type: ignore[arg-type]  # likewise
    assert caught.value.hint == "restart it"


async def test_countries_are_looked_up_anew_when_the_settings_say_so() -> None:
    there, off = (SimpleNamespace(geo=GeoSettings(embedded=embedded)) for embedded in (True, False))
    first = await parts.geo_of(there, None, Epochs(), lambda *_: None)  # type: ignore[arg-type]  # stands for Settings
    old = SimpleNamespace(settings=there, geo=first)
    assert await parts.geo_of(there, old, Epochs(), lambda *_: None) is first  # type: ignore[arg-type]  # likewise
    other = await parts.geo_of(off, old, Epochs(), lambda *_: None)  # type: ignore[arg-type]  # likewise
    assert (first.source != "none", other.source) == (True, "none")
