"""Everything about people and their browsers, put together: what `app` opens and hands to pipeline and control side."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from leadglass.access.emergency import Emergency
from leadglass.access.proving import Proving
from leadglass.access.signin import SignIn
from leadglass.clock import Clock
from leadglass.devices.service import Devices
from leadglass.emergency.codes import EmergencyCodes
from leadglass.epochs import Epochs
from leadglass.hazmat.aead import load_or_make_box
from leadglass.identity.providers import Providers
from leadglass.model.login import SignedIn
from leadglass.model.ports import EventSink
from leadglass.sessions.bindings import Bindings
from leadglass.sessions.rotation import KeyRotation
from leadglass.sessions.sessions import Sessions
from leadglass.sessions.transactions import Transactions
from leadglass.store import Store
from leadglass.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Browsers:
    """Sessions, their devices, sign-in and emergency codes. `close` writes down when sessions and devices were seen last."""

    sessions: Sessions
    bindings: Bindings
    sign_in: SignIn
    proving: Proving
    codes: EmergencyCodes
    emergency: Emergency
    key: KeyRotation

    @classmethod
    async def open(
        cls,
        store: Store,
        key: Path,
        events: EventSink,
        *,
        clock: Clock,
        epochs: Epochs,
        tasks: Tasks,
        providers: Callable[[], Providers],
        devices: Devices,
    ) -> Self:
        """Read the sessions that live. `key` is the file of the key that seals them; `providers` gives those in force.

        Raises ConfigurationError, and Refusal `store-unavailable`.
        """

        async def renew(before: SignedIn) -> SignedIn:
            return await providers().renew(before)

        box = load_or_make_box(key)
        sessions = await Sessions.open(store, box, events, clock=clock, epochs=epochs, tasks=tasks, renew=renew)
        tasks.spawn(sessions.watch(), name="watch sessions")
        bindings = await Bindings.open(
            store, sessions, events, clock=clock, epochs=epochs, facts=devices.registry.proven
        )
        tasks.spawn(bindings.watch(), name="watch the devices of sessions")
        sign_in = SignIn(providers, sessions, Transactions(box, clock), clock=clock, tasks=tasks)
        codes = EmergencyCodes(store, events, clock)
        rotation = KeyRotation(box, key, sessions, events, clock=clock, tasks=tasks)
        rotation.resume()
        proving = Proving(sessions, bindings, devices.proof)
        return cls(sessions, bindings, sign_in, proving, codes, Emergency(codes, sessions, events, clock), rotation)

    async def close(self) -> None:
        """Write down when sessions were used and devices proven last. Raises Refusal `store-unavailable`."""
        await self.sessions.write()
        await self.bindings.write()
