"""De-identified copies of files, and the search for what should not be in them. Neither gateway nor store is needed."""
