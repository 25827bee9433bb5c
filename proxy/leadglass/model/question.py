"""The question put to policy: one value, from which the policy input and the lease key are both made."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from leadglass.model.facts import Action, Context, Device, Resource, Study, Subject

_SORTED = orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True)
class Question:
    """May this subject, on this device, do this to these studies, in this context?

    `missing` lists paths of the input that a source should have given and could not (law 3).
    `posture_age` is in seconds, None when the device never reported; `auth_age` is how long ago the person signed in, None
    when that is not known.
    """

    subject: Subject
    action: Action
    resource: Resource
    studies: tuple[Study, ...]
    device: Device | None
    context: Context
    posture_age: float | None = None
    missing: tuple[str, ...] = ()
    auth_age: float | None = None

    def _device(self) -> dict[str, Any] | None:
        return None if self.device is None else dict(self.device.document)

    def input(self) -> bytes:
        """Return the policy input (policies/schemas/input.json) as canonical JSON."""
        device = self._device()
        if device is not None and self.posture_age is not None:
            device["posture_age_seconds"] = round(self.posture_age, 3)
        context = self.context.document()
        if self.auth_age is not None:
            context["auth_age_seconds"] = round(self.auth_age, 3)
        return orjson.dumps(
            {
                "subject": self.subject.document,
                "action": {"name": self.action.name, "transaction": self.action.transaction},
                "resource": self.resource.document(),
                "studies": [study.document for study in self.studies],
                "device": device,
                "context": context,
                "missing": (*self.missing, *self.context.missing),
            },
            option=_SORTED,
        )

    def lease_key(self) -> bytes:
        """Return SHA-256 of the input less series, instance, frames, times and ages, with the token's hash.

        Equal keys mean equal answers for as long as no epoch moved and no `until` passed.
        """
        device = self._device()
        lasting = orjson.dumps(
            [
                self.subject.document,
                [self.action.name, self.action.transaction],
                self.resource.lasting(),
                [study.document for study in self.studies],
                device,
                self.context.lasting(),
                self.missing,
            ],
            option=_SORTED,
        )
        return hashlib.sha256(self.subject.token_hash + lasting).digest()
