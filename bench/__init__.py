"""The bench: the gateway with everything on, side by side with nginx and Envoy, which check nothing. Never a test."""
