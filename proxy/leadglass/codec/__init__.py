"""Sans-io parsers: bytes and strings in, frozen values out. No module here awaits, opens or logs anything."""
