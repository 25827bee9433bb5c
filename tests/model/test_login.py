"""Refusals of a sign-in keep their cause from whoever prints them."""

from leadglass.model.login import ProviderUnavailable, SignInRefused


def test_the_cause_is_not_the_message() -> None:
    assert str(SignInRefused("invalid_grant")) == "sign-in refused"
    assert str(ProviderUnavailable("https://idp.example.org/token took over 10 s")) == "identity provider unavailable"
