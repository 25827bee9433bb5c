"""What a permitted reply must go through before it may leave. The plan is the only maker of `Sealed` (law 6)."""
