"""Viewers on the gateway's own origin: the files of `static:`, and what is put beside them."""
