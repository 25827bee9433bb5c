"""Receivers of the record. One module each; to add one, write it, and list it in `registry.py`."""
