"""The closed list of changes that `explain` tries: what might have been otherwise, and only what can be brought about.

Roles of the tables, a second factor, the device's checks and report, named networks, purposes of use, hours, the
device itself and the patient's care team. Facts about a study (its modality, a diagnosis) are never on the list.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Document: TypeAlias = dict[str, Any]
_ROLES: Final = 64  # names tried of each kind


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that might have been otherwise. `path` is the fact it changes; `apply` changes a copy of the input.

    `words` are for administrators; `personal` for the person refused, None when it is not theirs to know.
    """

    path: str
    words: str
    personal: str | None
    apply: Callable[[Document], None]


def candidates(judged: Document, tables: Mapping[str, object]) -> list[Change]:
    """Return every change that is tried for this input, the nearest at hand first."""
    return [
        *_subject(judged),
        *_device(judged, tables),
        *_context(judged, tables),
        *_glass(judged, tables),
        *_roles(judged, tables),
        *_care_team(judged),
    ]


def _subject(judged: Document) -> Iterator[Change]:
    if judged["subject"]["mfa"] is not True:

        def factor(document: Document) -> None:
            document["subject"]["mfa"] = True

        yield Change("subject.mfa", "a sign-in with a second factor", "sign in with a second factor", factor)


def _device(judged: Document, tables: Mapping[str, object]) -> Iterator[Change]:
    checks = sorted(_checks(tables))
    if judged["device"] is None:
        yield Change("device", "an enrolled and healthy device of their own", "use your own enrolled device",
                     lambda document: document.update(device=_healthy(document, checks)))  # fmt: skip
        return
    device = judged["device"]
    if (device["owner_issuer"], device["owner"]) != (judged["subject"]["issuer"], judged["subject"]["id"]):

        def own(document: Document) -> None:
            document["device"].update(owner=document["subject"]["id"], owner_issuer=document["subject"]["issuer"])

        yield Change("device.owner", "the device being enrolled to them", "use your own enrolled device", own)
    if device.get("posture_age_seconds") != 0:

        def fresh(document: Document) -> None:
            document["device"]["posture_age_seconds"] = 0

        words = "a fresh report of the device"
        yield Change("device.posture_age_seconds", words, "let the device report again", fresh)
    for name in sorted({*checks, *device["checks"]}):
        if device["checks"].get(name, {}).get("status") != "pass":
            yield _passing(name)


def _passing(name: str) -> Change:
    def passes(document: Document) -> None:
        document["device"]["checks"][name] = {"status": "pass"}

    path = f"device.checks.{name}.status"
    return Change(path, f"the device passing the check {name}", f"mend the check {name} of the device", passes)


def _healthy(document: Document, checks: list[str]) -> Document:
    return {
        "id": "(an enrolled device)",
        "owner": document["subject"]["id"],
        "owner_issuer": document["subject"]["issuer"],
        "binding": "mtls",
        "key_protection": "software",
        "posture_age_seconds": 0,
        "checks": {name: {"status": "pass"} for name in checks},
    }


def _checks(tables: Mapping[str, object]) -> set[str]:
    posture = tables.get("posture")
    if not isinstance(posture, Mapping):
        return set()
    named = set(posture.get("required", ()))
    for demand in posture.get("roles", {}).values():
        named |= set(demand.get("required", ()))
    return named


def _glass(judged: Document, tables: Mapping[str, object]) -> Iterator[Change]:
    table = tables.get("break_glass")
    if isinstance(table, Mapping) and table.get("enabled") is True:

        def smash(document: Document) -> None:
            document["context"].update(break_glass={"reason": "(a reason)"}, purpose="ETREAT", auth_age_seconds=0)

        if judged["context"]["break_glass"] is None:
            yield Change("context.break_glass", "breaking the glass under ETREAT, freshly signed in", None, smash)
        else:
            words = "the purpose ETREAT and a fresh sign-in, to break the glass"
            yield Change("context.auth_age_seconds", words, "declare ETREAT and sign in again", smash)


def _context(judged: Document, tables: Mapping[str, object]) -> Iterator[Change]:
    for name in _names(tables, "networks", "networks"):
        if name not in judged["context"]["networks"]:
            yield _coming_from(name)
    for name in judged["context"]["networks"]:
        yield _not_from(name)
    for purpose in sorted({*_purposes(tables), "TREAT"}):
        if purpose != judged["context"].get("purpose"):
            yield _under(purpose)
    hours = tables.get("hours")
    for role, bound in hours.get("roles", {}).items() if isinstance(hours, Mapping) else ():
        yield _within(role, bound["from"], bound["weekdays"][0])


def _coming_from(name: str) -> Change:
    def come(document: Document) -> None:
        document["context"]["networks"] = [*document["context"]["networks"], name]

    return Change(
        "context.networks", f"the network {name}", "connect from another network, such as the hospital's", come
    )


def _not_from(name: str) -> Change:
    def leave(document: Document) -> None:
        document["context"]["networks"] = [other for other in document["context"]["networks"] if other != name]

    words = f"a network other than {name}"
    return Change("context.networks", words, "connect from another network, such as the hospital's", leave)


def _under(purpose: str) -> Change:
    def declare(document: Document) -> None:
        document["context"]["purpose"] = purpose

    words = f"the purpose of use {purpose}"
    return Change("context.purpose", words, f"declare the purpose of use {purpose}, if it is yours", declare)


def _within(role: str, hour: int, weekday: int) -> Change:
    def wait(document: Document) -> None:
        document["context"].update(hour=hour, weekday=weekday)

    words = f"the working hours of the role {role}"
    return Change("context.hour", words, "try again within working hours", wait)


def _roles(judged: Document, tables: Mapping[str, object]) -> Iterator[Change]:
    named = dict.fromkeys([*_names(tables, "roles", "roles"), *sorted(_named_roles(tables))])
    for role in list(named)[:_ROLES]:
        if role not in judged["subject"]["roles"]:
            yield _acting_as(role)


def _acting_as(role: str) -> Change:
    def act(document: Document) -> None:
        document["subject"]["roles"] = [*document["subject"]["roles"], role]

    words = f"the role {role}"
    return Change("subject.roles", words, "ask the administrator for a role that may do this", act)


def _named_roles(value: object) -> set[str]:
    """Return what any table lists under `roles`, `listed_roles` and the like."""
    found: set[str] = set()
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if str(key).endswith("roles") and not isinstance(inner, Mapping):
                found |= {role for role in inner if isinstance(role, str)}
            else:
                found |= _named_roles(inner)
    return found


def _purposes(tables: Mapping[str, object]) -> set[str]:
    table = tables.get("purpose")
    bound = table.get("roles", {}) if isinstance(table, Mapping) else {}
    return {purpose for purposes in bound.values() for purpose in purposes}


def _names(tables: Mapping[str, object], table: str, key: str) -> list[str]:
    found = tables.get(table)
    inner = found.get(key) if isinstance(found, Mapping) else None
    return list(inner)[:_ROLES] if isinstance(inner, Mapping) else []


def _care_team(judged: Document) -> Iterator[Change]:
    who = {"issuer": judged["subject"]["issuer"], "id": judged["subject"]["id"]}
    if any(who not in study.get("care_team", ()) for study in judged["studies"]):

        def join(document: Document) -> None:
            for study in document["studies"]:
                study["care_team"] = [*study.get("care_team", ()), who]

        yield Change("studies[].care_team", "membership of the patient's care team", None, join)
