"""Makes what is shipped beside the wheel: the agent's Debian package, and lists of what things are made of (SBOM)."""
