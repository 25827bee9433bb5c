"""`leadglass-agent login | logout`: the person signs in once, and `proxy` has their token from then on."""

import asyncio
import os
import sys
from typing import Annotated

import typer

from leadglass_agent.terminal import StateOption, fail, now, opened, spoken
from leadglass_agent.voice import NO, USAGE


def login(
    state: StateOption = None,
    issuer: Annotated[str, typer.Option(help="The identity provider, as the gateway is configured.")] = "",
    client_id: Annotated[str, typer.Option(help="The name of this program at the identity provider.")] = "",
    acr: Annotated[
        str, typer.Option(help="How to sign in (acr_values), such as mfa, when a refusal asks for it.")
    ] = "",
    *,
    browser: Annotated[bool, typer.Option(help="Open the person's browser; else only print the address.")] = True,
) -> None:
    """Sign in with a browser on this machine, so that `proxy` has a token and renews it.

    What is not given is taken from agent.toml, then from the sign-in before.
    """
    from leadglass_agent import commands, signin  # late: network code
    from leadglass_agent.login import Client, LoginError
    from leadglass_agent.login import login as sign_in

    with spoken():
        folder, settings = opened(state)
        before = signin.load(folder)
        client = Client(
            issuer or settings.issuer or (before.issuer if before else ""),
            client_id or settings.client_id or (before.client_id if before else ""),
            acr=acr or settings.acr_values or (before.acr if before else ""),
        )
        if not client.issuer or not client.client_id:
            hint = "give --issuer and --client-id once, or set issuer and client_id in agent.toml"
            fail("say where to sign in", hint, USAGE)

        def show(url: str) -> None:
            sys.stdout.write(f"Sign in here:\n{url}\n")
            sys.stdout.flush()
            if browser and os.geteuid() != 0:  # root has no browser
                commands.browse(url)

        try:
            tokens, provider = asyncio.run(sign_in(client, show, now))
        except LoginError as error:
            fail(str(error), "try again; docs/agent.md says what the identity provider has to allow", NO)
        signin.save(folder, signin.of(client, provider, tokens))
    kept = "it is renewed by itself" if tokens.refresh else "it ends by itself: the provider gives no refresh token"
    sys.stdout.write(f"signed in; {kept}\n")


def logout(state: StateOption = None) -> None:
    """Forget the sign-in, here and at the identity provider."""
    from leadglass_agent import signin  # late: network code
    from leadglass_agent.login import LoginError, revoke

    with spoken():
        folder, _ = opened(state)
        kept = signin.load(folder)
        if kept is None:
            fail("nobody has signed in", code=NO)
        signin.save(folder, None)
        if kept.refresh_token and kept.revocation_endpoint:
            try:
                asyncio.run(revoke(kept.revocation_endpoint, kept.client, kept.refresh_token))
            except LoginError as error:
                fail(f"forgotten here, not at the identity provider: {error}", "end the session there")
    sys.stdout.write("signed out\n")
