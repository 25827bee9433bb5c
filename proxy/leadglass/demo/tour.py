"""The tour: each step says what is tried and what should happen, tries it for real, and shows what did."""

import asyncio
import base64
import contextlib
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from leadglass.demo.browser import Browser
from leadglass.demo.studies import CT_STUDY, MR_STUDY
from leadglass.demo.world import FORBIDDEN, OWNER, DemoError, World, open_world, start_agent, start_gateway

_WAIT = 30.0
_STATUS = {"pass": "[green]pass[/]", "fail": "[yellow]fail[/]", "unknown": "[yellow]unknown[/]"}


class Answer:
    """What came back: status, headers, body, and for a refusal its reasons."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        problem = json.loads(body) if headers.get("Content-Type", "").startswith("application/problem+json") else {}
        self.reasons: list[str] = problem.get("reasons", [])
        self.remediation: list[str] = problem.get("remediation", [])
        self.decision_id = headers.get("Leadglass-Decision-Id", "")

    def __str__(self) -> str:
        what = ", ".join(self.reasons) or f"{len(self.body):,} bytes"
        return f"{self.status} {what}"


class Tour:
    """The steps. `failed` counts those that did not go as told."""

    def __init__(self, world: World, console: Console, session: aiohttp.ClientSession) -> None:
        self._world, self._console, self._session = world, console, session
        self.failed = 0
        self._told: list[str] = []  # decisions whose answers were shown: the record must have a line for each

    async def ask(self, path: str) -> Answer:
        """Ask through the agent's loopback door, as a viewer on this machine would."""
        async with self._session.get(f"{self._world.base}{path}", headers={"Accept": "*/*"}) as reply:
            return Answer(reply.status, reply.headers, await reply.read())

    def tell(self, text: str) -> None:
        """Say what comes next."""
        self._console.print(f"\n[bold]{text}[/]")

    def show(self, expected: str, got: str, *, ok: bool) -> None:
        """Show the outcome of a step and count it."""
        self.failed += not ok
        mark = "[green]ok[/]" if ok else "[red]NOT AS TOLD[/]"
        self._console.print(f"  expected  {escape(expected)}\n  got       {escape(got)}   {mark}")

    async def expect(self, path: str, status: int, reason: str = "") -> Answer:
        """Ask, and hold the answer against what was told."""
        answer = await self.ask(path)
        self._compare(answer, status, reason)
        return answer

    async def record(self, decision_id: str) -> str:
        """Return the lines of the record about one decision."""
        return await self._world.run(
            "leadglass", "audit", "search", "-c", str(self._world.config), "--decision", decision_id, "--json"
        )

    async def checks(self) -> None:
        """Show what the agent reported of this machine, as it is."""
        self.tell("The agent reports the real state of this machine")
        status = json.loads(
            await self._world.run("leadglass-agent", "status", "--state", str(self._world.folder / "agent"), "--json")
        )
        table = Table("check", "answer", "why", box=None, pad_edge=False)
        for name, check in status["last"]["checks"].items():
            table.add_row(name, _STATUS[check["status"]], escape(check.get("reason", "")))
        self._console.print(table)
        self._console.print("  [dim](the tour's posture table requires forbidden_software alone)[/]")

    async def reading(self) -> None:
        """A radiologist reads a CT."""
        self.tell("A radiologist, with a second factor, on this device: reads the metadata of a CT chest")
        await self.expect(f"/dicom-web/studies/{CT_STUDY}/metadata", 200)

    async def step_up(self) -> None:
        """The same person without a second factor."""
        self.tell("The same person, signed in with a password alone")
        self._world.sign_in("radiologist-no-mfa")
        answer = await self.expect(f"/dicom-web/studies/{CT_STUDY}/metadata", 401, "mfa-required")
        challenge = answer.headers.get("WWW-Authenticate", "")
        wanted = "insufficient_user_authentication"
        self.show(f"a challenge with {wanted} (RFC 9470)", challenge, ok=wanted in challenge)
        self._world.sign_in("radiologist")

    async def oncology(self) -> None:
        """The MR of a patient with cancer, asked for by a radiologist who is no oncologist."""
        self.tell("The same radiologist asks for the MR of a patient with cancer, which only oncologists may see")
        answer = await self.expect(f"/dicom-web/studies/{MR_STUDY}/metadata", 404, "study-not-visible")
        lines = await self.record(answer.decision_id)
        self.show(
            "the record says why: oncologist-only",
            "oncologist-only" if "oncologist-only" in lines else lines[:200],
            ok="oncologist-only" in lines,
        )
        self.tell("... and searches for all studies")
        await self._search(shown=False)
        self.tell("... and with the role of an oncologist sees both")
        self._world.sign_in("oncologist")
        await self.expect(f"/dicom-web/studies/{MR_STUDY}/metadata", 200)
        await self._search(shown=True)
        self._world.sign_in("radiologist")

    async def _search(self, *, shown: bool) -> None:
        answer = await self.ask("/dicom-web/studies")
        self._told.append(answer.decision_id)
        rows = json.loads(answer.body) if answer.status == 200 else []  # noqa: PLR2004 - OK
        uids = {row["0020000D"]["Value"][0] for row in rows}
        ok = CT_STUDY in uids and (MR_STUDY in uids) == shown
        self.show(f"the CT, and the MR {'too' if shown else 'not'}", f"{answer.status}, {len(uids)} studies", ok=ok)

    async def forbidden_program(self) -> None:
        """A forbidden program starts, and is stopped again."""
        self.tell("A program that is forbidden here starts on this machine (a harmless one of the demo's own)")
        path = f"/dicom-web/studies/{CT_STUDY}/series"
        process = await self._world.start(str(self._world.folder / FORBIDDEN), "600")
        answer = await self._until(path, lambda answer: answer.status != 200)  # noqa: PLR2004 - OK
        self._told.append(answer.decision_id)
        ok = answer.status == 403 and "posture-failed" in answer.reasons and bool(answer.remediation)  # noqa: PLR2004 - forbidden
        self.show("403 posture-failed, with what to do about it", f"{answer}: {' '.join(answer.remediation)}", ok=ok)
        self.tell("It is stopped, and they are let in again")
        await self._world.stop(process)
        answer = await self._until(path, lambda answer: answer.status == 200)  # noqa: PLR2004 - OK
        self._compare(answer, 200)

    async def _until(self, path: str, wanted: Callable[[Answer], bool]) -> Answer:
        """Ask until the answer is as wanted; the agent looks at the processes every five seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _WAIT
        while not wanted(answer := await self.ask(path)) and loop.time() < end:  # noqa: ASYNC110 - another machine in all but name
            await asyncio.sleep(0.25)
        return answer

    async def browser(self) -> None:
        """A browser signs in, is asked for more, and is cut off in the middle of a study."""
        path = f"/dicom-web/studies/{CT_STUDY}"
        async with Browser(self._world) as browser:
            self.tell("A person signs in with a browser, by a password alone; the agent shows which machine it is on")
            await browser.sign_in("radiologist-no-mfa")
            await browser.show_device()
            self._compare(Answer(*await browser.get(f"{path}/metadata")), 401, "mfa-required")
            self.tell("... goes to the identity provider once more for a second factor: step-up, in the same session")
            await browser.sign_in("radiologist", acr="mfa")
            self._compare(Answer(*await browser.get(f"{path}/metadata")), 200)
            self.tell("... and while a study is on its way to it, an administrator revokes the person")
            begun, go_on = asyncio.Event(), asyncio.Event()
            async with asyncio.TaskGroup() as group:
                sip = group.create_task(browser.sip(path, begun, go_on))
                await begun.wait()
                lift = await self._revoke("user", OWNER)
                go_on.set()
            got = sip.result()
            self.show("the reply ends in the middle, by a reset", f"{got.came:,} bytes, then a reset", ok=not got.whole)
            cut = [line["cut_by"] for line in await self._lines() if line.get("cut_by")]
            self.show("the record says what cut it: access-revoked", ", ".join(cut), ok=cut[-1:] == ["access-revoked"])
            await self._world.run("leadglass", "revoke", "lift", lift, "-c", str(self._world.config))

    async def _revoke(self, kind: str, value: str) -> str:
        """Revoke for an hour and return what it is lifted by."""
        config = ("-c", str(self._world.config), "--json")
        said = await self._world.run("leadglass", "revoke", kind, value, "--reason", "the tour", "--for", "1h", *config)
        lift: str = json.loads(said)["id"]
        return lift

    async def _lines(self) -> list[dict[str, Any]]:
        """Return the record's last lines, when the completion of what has just ended is among them."""
        said = await self._world.run(
            "leadglass", "audit", "tail", "-c", str(self._world.config), "-n", "20", "--json"
        )  # fmt: skip
        return [json.loads(line) for line in said.splitlines()]

    def _compare(self, answer: Answer, status: int, reason: str = "") -> None:
        self._told.append(answer.decision_id)
        ok = answer.status == status and (not reason or reason in answer.reasons)
        self.show(f"{status} {reason}".strip(), str(answer), ok=ok)

    async def strangers(self) -> None:
        """What nobody may: an unknown path, and a token that nobody issued."""
        self.tell("An address that is no DICOMweb transaction")
        await self.expect("/dicom-web/system", 403, "route-unknown")
        self.tell("A token whose role was edited by hand")
        head, payload, signature = (self._world.folder / "token").read_text().split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        claims["roles"] = ["oncologist"]
        forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        self._world.use_token(f"{head}.{forged}.{signature}")
        await self.expect(f"/dicom-web/studies/{CT_STUDY}/metadata", 401, "user-unauthenticated")
        self._world.sign_in("radiologist")

    async def the_record(self) -> None:
        """What the record says of all this."""
        self.tell("The record of what you just saw")
        config = str(self._world.config)
        said = await self._world.run("leadglass", "audit", "search", "-c", config, "--since", "2000-01-01", "--json")
        hits = [json.loads(line) for line in said.splitlines()]
        mine = [hit for hit in hits if hit["decision_id"] in self._told and hit["type"] in {"decision", "use"}]
        table = Table("when", "who", "what", "judged", box=None, pad_edge=False)
        for hit in mine:
            judged = ", ".join(hit["reasons"]) or hit["outcome"]
            table.add_row(hit["timestamp"][11:19], hit["subject"] or "somebody", hit["transaction"] or "-", judged)
        self._console.print(table, style="dim")
        found = {hit["decision_id"] for hit in mine}
        self.show(f"a line for each of {len(self._told)} answers", f"{len(found)}", ok=found == set(self._told))

    async def the_proof(self) -> None:
        """That the record is whole, and what shows when a forger was at it."""
        config = str(self._world.config)
        self.tell("leadglass audit verify")
        said = await self._world.run("leadglass", "audit", "verify", "-c", config, code=None)
        good = await self._verifies(config)
        self.show("every line proven", said.strip().splitlines()[-1], ok=good)
        self.tell("... and once more on a copy in which one byte of one line was flipped")
        copy = self._world.folder / "forged"
        shutil.copytree(self._world.folder / "var", copy / "var", ignore=shutil.ignore_patterns("*.sock"))
        for name in ("leadglass.yaml", "tls", "policies", "facts"):
            source = self._world.folder / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
        line = await asyncio.to_thread(_flip, copy / "var/decisions.jsonl")
        said = await self._world.run("leadglass", "audit", "verify", "-c", str(copy / "leadglass.yaml"), code=None)
        ok = f"decisions.jsonl:{line}" in said and not await self._verifies(str(copy / "leadglass.yaml"))
        self.show(f"broken, naming line {line}", said.strip().splitlines()[0], ok=ok)

    async def _verifies(self, config: str) -> bool:
        with contextlib.suppress(DemoError):
            await self._world.run("leadglass", "audit", "verify", "-c", config)
            return True
        return False

    def farewell(self) -> None:
        """Say what can be tried now."""
        world, program = self._world, Path(sys.executable).with_name("leadglass")  # no PATH knows it yet
        self._console.print("\n[bold]Try it yourself[/]", soft_wrap=True)
        rows = (
            ("gateway", world.public),
            ("through the agent", f"{world.base}/dicom-web"),
            ("in a browser", f"{world.public}/.leadglass/v1/login (its certificate is the tour's own)"),
            ("all studies", f"curl -s {world.base}/dicom-web/studies"),
            ("the MR", f"curl -si {world.base}/dicom-web/studies/{MR_STUDY}/metadata"),
            ("the token in use", str(world.folder / "token")),
            ("the record", f"{program} audit tail -f -c {world.config}"),
            ("devices", f"{program} device list -c {world.config}"),
        )
        for name, value in rows:
            self._console.print(f"  {name:18} {escape(value)}", soft_wrap=True, highlight=False)
        for person in ("radiologist", "radiologist-no-mfa", "oncologist"):
            token = world.folder / f"token.{person}"
            self._console.print(
                f"  {'be ' + person:18} cp {token} {world.folder / 'token'}", soft_wrap=True, highlight=False
            )


def _flip(file: Path) -> int:
    """Flip one bit in the middle line of `file` and return that line's number."""
    lines = file.read_bytes().splitlines(keepends=True)
    at = len(lines) // 2
    place = len(lines[at]) // 3
    lines[at] = lines[at][:place] + bytes([lines[at][place] ^ 1]) + lines[at][place + 1 :]
    file.write_bytes(b"".join(lines))
    return at + 1


async def _guide(folder: Path, console: Console, *, keep: bool) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with console.status("setting up a PACS, an identity provider, the gateway and an agent ...") as status:
        async with open_world(folder) as world, aiohttp.ClientSession() as session:
            await start_gateway(world)
            await start_agent(world)
            status.stop()
            console.print(f"[bold]Leadglass[/] stands in front of {world.pacs_name}, which knows nothing of it.")
            tour = Tour(world, console, session)
            steps: tuple[Callable[[], Awaitable[None]], ...] = (
                tour.checks, tour.reading, tour.step_up, tour.oncology, tour.forbidden_program, tour.browser, tour.strangers,
                tour.the_record, tour.the_proof,
            )  # fmt: skip
            for step in steps:
                if stop.is_set():
                    return 1
                await step()
            console.print(
                f"\n[bold]{'Every step went as told.' if not tour.failed else f'{tour.failed} not as told.'}[/]"
            )
            if keep:
                for person in ("radiologist", "radiologist-no-mfa", "oncologist"):
                    world.sign_in(person)
                    shutil.copy(folder / "token", folder / f"token.{person}")
                world.sign_in("radiologist")
                tour.farewell()
                console.print("\nCtrl-C ends it.")
                await stop.wait()
            return 1 if tour.failed else 0


def run(*, keep: bool) -> int:
    """Run the tour and return the exit code: 0 when every step went as told."""
    console = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="leadglass-demo-"))
    try:
        return asyncio.run(_guide(folder, console, keep=keep))
    except DemoError as error:
        console.print(f"[red]the tour cannot go on:[/] {escape(str(error))}")
        for log in sorted((folder / "logs").glob("*.log")):
            console.print(f"[dim]{log.name}: {escape(log.read_text(errors='replace')[-600:])}[/]")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
