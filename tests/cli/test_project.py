"""`leadglass project`: made, listed, rotated, closed, as the administrator sees it."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from leadglass.access.reidentify import Asked
from leadglass.cli import project as module
from leadglass.cli.main import app
from leadglass.deid.pseudonyms import Patient, Pseudonyms
from support.device import ADMIN
from support.gateway import running
from support.oidc import V1, Site, site

RUNNER = CliRunner()


async def test_make_list_rotate_close(tmp_path: Path) -> None:
    async with running(tmp_path) as place:
        config = str(tmp_path / "leadglass.yaml")

        async def run(*words: str) -> tuple[int, str]:
            result = await asyncio.to_thread(RUNNER.invoke, app, ["project", *words, "-c", config])
            return result.exit_code, result.stdout

        create = ("create", "lung", "--title", "Lung study", "--profile", "basic")
        assert "no projects" in (await run("list"))[1]
        code, told = await run(*create)
        assert (code, "make a backup" in told) == (0, True)
        assert (await run(*create))[0] == 1
        assert (await run("create", "Lung", "--title", "x", "--profile", "basic"))[0] == 2
        assert (await run("create", "heart", "--title", " ", "--profile", "basic"))[0] == 2
        code, told = await run("create", "heart", "--title", "Heart", "--profile", "basic", "--json")
        assert orjson.loads(told)["state"] == "open"
        assert [one["name"] for one in orjson.loads((await run("list", "--json"))[1])] == ["heart", "lung"]
        assert "Lung study" in (await run("list"))[1]
        code, told = await run("rotate", "lung")
        assert "lung has key 2" in told
        assert orjson.loads((await run("rotate", "lung", "--json"))[1])["generation"] == 3
        assert (await run("rotate", "none"))[0] == 1
        assert await run("close", "lung") == (0, "project lung is closed\n")
        assert (await run("rotate", "lung"))[0] == 1
        assert place.gateway.projects.get("heart").title == "Heart"


async def test_a_key_is_destroyed_only_when_the_name_was_said_once_more(tmp_path: Path) -> None:
    async with running(tmp_path) as place:
        config = str(tmp_path / "leadglass.yaml")

        async def run(*words: str) -> tuple[int, str]:
            result = await asyncio.to_thread(RUNNER.invoke, app, ["project", *words, "-c", config])
            return result.exit_code, result.stdout

        await run("create", "lung", "--title", "Lung study", "--profile", "basic")
        for words in ((), ("--confirm", "heart")):
            assert (await run("close", "lung", "--destroy-key", *words))[0] == 2
        assert place.gateway.projects.get("lung").state == "open"
        code, told = await run("close", "lung", "--destroy-key", "--confirm", "lung")
        assert (code, "destroy those too" in told) == (0, True)
        assert "destroyed" in (await run("list"))[1]
        kinds = [line["kind"] for line in place.record("event") if line["kind"].startswith("project")]
        assert kinds == ["project-created", "project-key-destroyed"]


async def test_a_key_may_be_brought(tmp_path: Path) -> None:
    file = tmp_path / "copies.key"
    file.write_text("0F" * 32 + "\n")
    words = ["project", "create", "lung", "--title", "x", "--profile", "basic", "--key", str(file)]
    async with running(tmp_path) as place:

        async def run() -> int:
            line = [*words, "-c", str(tmp_path / "leadglass.yaml")]
            return (await asyncio.to_thread(RUNNER.invoke, app, line)).exit_code

        file.chmod(0o644)
        assert await run() == 3
        file.chmod(0o600)
        assert await run() == 0
        projects = place.gateway.projects
        made = projects.pseudonyms(projects.get("lung"), Patient.of("", "4711"), 0)
        assert made.patient_id == Pseudonyms(b"\x0f" * 32, Patient.of("", "4711"), 0).patient_id
        file.unlink()
        assert await run() == 3


async def test_keys_of_projects_are_sealed_anew(tmp_path: Path) -> None:
    async with running(tmp_path):
        words = ["keys", "rotate", "projects", "-c", str(tmp_path / "leadglass.yaml")]
        result = await asyncio.to_thread(RUNNER.invoke, app, words)
        assert (result.exit_code, "0 keys of projects are sealed anew" in result.stdout) == (0, True)


async def shown(place: Site) -> str:
    """Return what people of a new project see of a patient."""
    projects = place.run.gateway.projects
    project = await projects.create("lung", "Lung", "basic", ADMIN)
    assert project is not None
    made = projects.pseudonyms(project, Patient.of("hospital", "4711"), 365)
    pseudonym = made.patient_id
    await projects.keep(project, made.take())
    return pseudonym


@pytest.mark.parametrize(
    ("answer", "wanted", "told"),
    [("yes", 0, "patient-id: 4711 (issuer hospital)\n"), ("no", 1, "")],
)
async def test_who_it_is_is_told_when_a_person_confirms(
    tmp_path: Path, answer: str, wanted: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    async with site(tmp_path, roles=("privacy-officer",)) as place:
        pseudonym, browser = await shown(place), await place.signed_in()
        await browser.prove(place.run.agent)
        desk, begun = place.run.gateway._reidentify, asyncio.get_running_loop().create_future()
        whole = desk.ask

        async def ask(*said: Any) -> Asked:  # noqa: ANN401 - whatever is asked
            begun.set_result(await whole(*said))
            made: Asked = begun.result()
            return made

        monkeypatch.setattr(desk, "ask", ask)

        async def say() -> int:
            form = {"request": (await begun).id, "answer": answer}
            return (await browser.post(V1 + "reidentify", form)).status

        words = ["project", "reidentify", pseudonym, "--project", "lung", "--reason", "a finding"]
        words += ["-c", str(tmp_path / "leadglass.yaml")]
        asking = asyncio.to_thread(RUNNER.invoke, app, words)
        result, status = await asyncio.gather(asking, say())
        assert status == 200
        assert (result.exit_code, result.stdout) == (wanted, told)
        assert "/.leadglass/v1/reidentify?request=" in result.stderr


async def test_a_question_that_is_none_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as place:
        await place.gateway.projects.create("lung", "Lung", "basic", ADMIN)
        for words, code in ((("Doe^John", "lung", "why"), 1), (("0123456789ABCDEF", "none", "why"), 1),
                            (("0123456789ABCDEF", "lung", " "), 2), (("0123456789ABCDEF", "Lung", "why"), 2)):  # fmt: skip
            pseudonym, project, reason = words
            line = ["project", "reidentify", pseudonym, "--project", project, "--reason", reason]
            result = await asyncio.to_thread(RUNNER.invoke, app, [*line, "-c", str(tmp_path / "leadglass.yaml")])
            assert result.exit_code == code
        assert b"Doe" not in (tmp_path / "var/decisions.jsonl").read_bytes()
