"""Settings of the policy engine (`policy:` in leadglass.yaml)."""

from typing import Literal

from pydantic import Field, model_validator

from leadglass.model.settings import PathSetting, SettingsModel


class OpaSettings(SettingsModel):
    """Where the OPA server listens."""

    socket: PathSetting = Field(
        description="Unix socket of the OPA server, mode 0600 (`opa run --server --addr unix://PATH --unix-socket-perm 600`)."
    )


class PolicySettings(SettingsModel):
    """The policy set and the engine that runs it."""

    engine: Literal["wasm", "opa"] = Field(
        default="wasm",
        description="`wasm` runs the compiled rules in process; `opa` asks an OPA server on a unix socket.",
    )
    path: PathSetting | None = Field(
        default=None,
        description="The site's policy folder, laid over the shipped set: tables replace those of the same name, rules, "
        "cases and reasons are added. Left out, the shipped set is in force as it is.",
    )
    opa: OpaSettings | None = Field(default=None, description="The OPA server; needed with `engine: opa` only.")

    @model_validator(mode="after")
    def _engine_has_its_server(self) -> "PolicySettings":
        if (self.engine == "opa") != (self.opa is not None):
            raise ValueError("`opa: {socket: ...}` goes with `engine: opa`, and with no other")
        return self
