"""All verbs of `leadglass`, in the order `--help` shows them."""

import typer

from leadglass.cli import (
    audit,
    config,
    deid,
    deid_run,
    deid_verify,
    demo,
    device,
    emergency,
    identity,
    init,
    keys,
    policy,
    project,
    readiness,
    recovery,
    review,
    revoke,
    serve,
    session,
)
from leadglass_agent.voice import Speaking, VersionOption

app = typer.Typer(
    name="leadglass",
    cls=Speaking,
    help="Zero-trust access gateway in front of existing PACS and DICOMweb servers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _program(*, version: VersionOption = False) -> None:
    """Take the options of the program itself."""


audit.app.command("readiness")(readiness.readiness)
deid.app.command("run")(deid_run.run)
deid.app.command("verify")(deid_verify.verify)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("init")(init.init)
app.command("backup")(recovery.backup)
app.command("restore")(recovery.restore)
for group, name in (
    (config.app, "config"),
    (identity.app, "identity"),
    (policy.app, "policy"),
    (deid.app, "deid"),
    (device.app, "device"),
    (revoke.app, "revoke"),
    (session.app, "session"),
    (emergency.app, "emergency"),
    (audit.app, "audit"),
    (review.app, "review"),
    (project.app, "project"),
    (keys.app, "keys"),
):
    app.add_typer(group, name=name)
