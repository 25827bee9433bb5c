"""Traces of what the gateway does, for those who run it: which exchanges have one, and where their spans go."""
