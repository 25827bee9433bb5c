"""The archive's side of the gateway: pool, HTTP client, facts door and probe. Opens nothing without a Permit."""
