"""Sealed one-time codes that open reading when identity provider, policy server or agent are down."""
