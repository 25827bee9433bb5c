"""Projects: whose pseudonyms are whose. Their keys and what their pseudonyms stand for, kept under seal."""
