"""Browser sessions: kept here, known to the browser by a random id alone."""
