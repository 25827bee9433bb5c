"""The devices of a gateway, put together: what `app` makes at start and hands to the pipeline and the control side."""

from dataclasses import dataclass
from typing import Self

from leadglass.clock import Clock
from leadglass.devices.codes import Codes
from leadglass.devices.enrolment import Enrolment, Trust
from leadglass.devices.inventory import Inventory
from leadglass.devices.nonces import Nonces
from leadglass.devices.posture import PostureDesk
from leadglass.devices.proof import ProofDesk
from leadglass.devices.registry import Registry
from leadglass.devices.renewal import Renewal
from leadglass.devices.rotation import CaRotation
from leadglass.epochs import Epochs
from leadglass.hazmat.x509 import DeviceAuthority
from leadglass.model.ports import EventSink
from leadglass.store import Store


@dataclass(frozen=True, slots=True)
class Devices:
    """Everything about devices. `registry.present` is what the pipeline asks on each request."""

    authority: DeviceAuthority
    registry: Registry
    nonces: Nonces
    codes: Codes
    enrolment: Enrolment
    renewal: Renewal
    posture: PostureDesk
    proof: ProofDesk
    inventory: Inventory
    rotation: CaRotation

    @classmethod
    async def open(
        cls,
        *,
        store: Store,
        authority: DeviceAuthority,
        epochs: Epochs,
        events: EventSink,
        clock: Clock,
        trust: Trust = tuple,
    ) -> Self:
        """Read the devices from the store. `trust` gives the CAs (PEM) that devices shall trust for TLS with us.

        Raises Refusal `store-unavailable`.
        """
        registry, nonces = Registry(authority, epochs, clock), Nonces(clock)
        await registry.load(store)
        codes = Codes(store, events, clock, lambda: authority.fingerprint)
        return cls(
            authority=authority,
            registry=registry,
            nonces=nonces,
            codes=codes,
            enrolment=Enrolment(
                store=store,
                registry=registry,
                codes=codes,
                authority=authority,
                nonces=nonces,
                events=events,
                clock=clock,
                trust=trust,
            ),
            renewal=Renewal(
                store=store,
                registry=registry,
                authority=authority,
                nonces=nonces,
                events=events,
                clock=clock,
                trust=trust,
            ),
            posture=PostureDesk(store=store, registry=registry, nonces=nonces, events=events, clock=clock),
            proof=ProofDesk(registry, clock),
            inventory=Inventory(store=store, registry=registry, events=events, clock=clock),
            rotation=CaRotation(
                authority=authority, store=store, registry=registry, codes=codes, events=events, clock=clock
            ),
        )
