"""Who asks: bearer tokens of configured issuers, verified and mapped to subjects."""
