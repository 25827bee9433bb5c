"""Doors: where requests come in. They do not know each other."""
