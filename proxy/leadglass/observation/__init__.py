"""Introduction: a time in which refusals are written down and not carried out (docs/adr/0016)."""
