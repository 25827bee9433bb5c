"""What policy needs and the token does not say: about studies, patients, networks and the request's own context."""
