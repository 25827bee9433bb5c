"""The tour: a PACS, an identity provider, an agent and the gateway on one machine, with data that is plainly made up."""
