"""`attributes:` and `geo:` of leadglass.yaml: sources of facts about patients, and about addresses."""

from pydantic import Field

from leadglass.model.settings import PathSetting, SettingsModel


class AttributesSettings(SettingsModel):
    """Sources of facts that the archive does not hold. Keep them outside the policy folder: they are about patients."""

    files: tuple[PathSetting, ...] = Field(
        default=(),
        max_length=100,
        description="Files with `conditions`, `care_team` or `consent` by patient, YAML or (for long lists) JSON. "
        "Read again when they change. A fact that no file configures is absent for every patient.",
    )


class GeoSettings(SettingsModel):
    """How the gateway knows in which country a client address is."""

    database: PathSetting | None = Field(
        default=None,
        description="File in the MaxMind DB format with countries or cities; read again when it changes, held in memory.",
    )
    embedded: bool = Field(
        default=True,
        description="Whether countries are looked up in the embedded lists of the internet registries where there is no `database`.",
    )
