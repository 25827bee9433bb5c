"""`deid:` of leadglass.yaml: how research views are de-identified."""

from pydantic import Field

from leadglass.model.settings import PathSetting, SettingsModel


class DeidSettings(SettingsModel):
    """Files of the privacy officer; read at start and at reload."""

    profiles: PathSetting | None = Field(
        default=None,
        description="Folder of profiles, one YAML file each, beside the shipped ones `basic` and `research`; one of the same name takes its place.",
    )
    masks: PathSetting | None = Field(
        default=None, description="File of masks: where devices write on their pictures. Left out, there are none."
    )
