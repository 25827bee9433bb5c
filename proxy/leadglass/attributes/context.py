"""The context of a request: where it comes from, when, and to what end it says it is made."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from leadglass.attributes.network import Networks, Place
from leadglass.clock import Clock
from leadglass.limits import BREAK_GLASS_CHARS, CLIENT_ADDRESSES
from leadglass.model.errors import refuse
from leadglass.model.facts import Context
from leadglass.model.reasons import Code
from leadglass.model.request import Headers

# HL7 v3 value set PurposeOfUse (2.16.840.1.113883.1.11.20448), the codes of care, operations, research and payment.
PURPOSES: Final = frozenset({
    "TREAT", "ETREAT", "BTG", "ERTREAT", "CLINTRL", "COC", "POPHLTH",
    "HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH",
    "PUBHLTH", "DISASTER", "THREAT",
    "PATRQT", "FAMRQT", "PWATRNY", "SUPNWK",
    "HOPERAT", "CAREMGT", "DONAT", "FRAUD", "GOV", "HACCRED", "HCOMPL", "HDECD", "HDIRECT", "HDM", "HLEGAL",
    "HOUTCOMS", "HPRGRP", "HQUALIMP", "HSYSADMIN", "LABELING", "METAMGT", "MEMADMIN", "MILCDM", "PATADMIN", "PATSFTY",
    "PERFMSR", "RECORDMGT", "SYSDEV", "HTEST", "TRAIN",
    "HPAYMT", "CLMATTCH", "COVAUTH", "COVERAGE", "ELIGDTRM", "ELIGVER", "ENROLLM", "MILDCRG", "REMITADV",
    "HMARKT",
})  # fmt: skip

ETREAT: Final = "ETREAT"  # emergency treatment
_PURPOSE: Final = "leadglass-purpose"
_BREAK_GLASS: Final = "leadglass-break-glass"
_MINUTE: Final = 60.0
_NO_RISK: Final[Mapping[str, str]] = MappingProxyType({})


class ContextFacts:
    """Makes the context of each request. Synchronous, and a look-up or two when the address is known."""

    def __init__(self, networks: Networks, clock: Clock, time_zone: str = "UTC") -> None:
        self._networks, self._clock, self._zone = networks, clock, ZoneInfo(time_zone)
        self._minute = -1
        self._hour = self._weekday = 0
        self._plain: dict[tuple[str, str], tuple[Place, Context]] = {}  # of this minute, without purpose or break-glass

    def build(
        self,
        door: str,
        client_ip: str,
        headers: Headers,
        degraded: tuple[str, ...] = (),
        *,
        risk: Mapping[str, str] = _NO_RISK,
        glass: str | None = None,
    ) -> Context:
        """Return the context of a request. `glass` is why the glass is broken in its session, if it is.

        A viewer cannot declare anything, so its session speaks for what the request leaves out. Raises Refusal
        `http-malformed` for a purpose or reason that is none.
        """
        minute = int(self._clock.now() // _MINUTE)
        if minute != self._minute:
            self._tell_time(minute)
        place = self._networks.place(client_ip)
        fields = headers.fields
        if (
            glass is None and _PURPOSE not in fields and _BREAK_GLASS not in fields and not risk
        ):  # the common case: the same for all of a minute
            kept = self._plain.get((door, client_ip))
            if kept is None or kept[0] is not place or kept[1].degraded != degraded:
                if len(self._plain) >= CLIENT_ADDRESSES:
                    self._plain.clear()
                kept = self._plain[door, client_ip] = (place, self._context(door, place, degraded))
            return kept[1]
        purpose, break_glass = _purpose(headers.get(_PURPOSE)), _break_glass(headers.get(_BREAK_GLASS))
        if glass is not None:
            purpose, break_glass = purpose or ETREAT, break_glass or {"reason": glass}
        return replace(self._context(door, place, degraded), purpose=purpose, break_glass=break_glass, risk=risk)

    def _context(self, door: str, place: Place, degraded: tuple[str, ...]) -> Context:
        return Context(
            door=door,
            client_ip=place.ip,
            hour=self._hour,
            weekday=self._weekday,
            degraded=degraded,
            **_placed(place),
        )

    def again(self, context: Context, degraded: tuple[str, ...] = (), *, mended: str | None = None) -> Context:
        """Return the context of a request that goes on, as it is now.

        `mended` is why the glass was broken in its session, when it is whole again.
        """
        if mended is not None and context.break_glass == {"reason": mended}:
            context = replace(context, purpose=None, break_glass=None)
        minute = int(self._clock.now() // _MINUTE)
        if minute != self._minute:
            self._tell_time(minute)
        placed = _placed(self._networks.place(context.client_ip))
        return replace(context, hour=self._hour, weekday=self._weekday, degraded=degraded, **placed)

    def _tell_time(self, minute: int) -> None:
        local = datetime.fromtimestamp(minute * _MINUTE, self._zone)
        self._minute, self._hour, self._weekday = minute, local.hour, local.isoweekday()
        self._plain.clear()


def _placed(place: Place) -> dict[str, Any]:
    """Return what a context says of a place. A country that is not known is missing."""
    country = place.location.country
    return {
        "networks": place.networks,
        "country": country,
        "city": place.location.city,
        "missing": () if country is not None else ("context.country",),
    }


def _purpose(value: str | None) -> str | None:
    if value is not None and value not in PURPOSES:
        raise refuse(Code.HTTP_MALFORMED, "Leadglass-Purpose is no HL7 purpose of use")
    return value


def _break_glass(value: str | None) -> Mapping[str, str] | None:
    if value is None:
        return None
    reason = value.strip()
    if not reason or len(reason) > BREAK_GLASS_CHARS or not reason.isprintable():
        raise refuse(Code.HTTP_MALFORMED, "Leadglass-Break-Glass is empty, too long or not printable")
    return {"reason": reason}
