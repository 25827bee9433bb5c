"""Revocation: trust that ends before its time, by an administrator's word or a provider's event."""
