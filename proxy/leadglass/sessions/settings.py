"""`sessions:` of leadglass.yaml: how long a browser session lives."""

from pydantic import Field

from leadglass.model.settings import SettingsModel


class SessionSettings(SettingsModel):
    """How long people stay signed in with a browser. What the identity provider says ends a session earlier."""

    idle_seconds: int = Field(
        default=1800, ge=60, le=86_400, description="A session that asked for nothing for this long ends."
    )
    device_port: int = Field(
        default=8766, ge=1, le=65_535, description="Where pages find leadglass-agent on 127.0.0.1: its proof_port."
    )
    absolute_seconds: int = Field(
        default=43_200, ge=300, le=604_800, description="A session ends this long after its sign-in, in use or not."
    )

    @property
    def agent(self) -> str:
        """The origin of the agent on the person's machine, as pages ask it."""
        return f"http://127.0.0.1:{self.device_port}"
