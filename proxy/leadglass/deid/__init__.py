"""De-identification (PS3.15 Annex E), sans-io: no store, no network, no clock."""
