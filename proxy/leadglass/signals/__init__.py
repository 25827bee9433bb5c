"""What security events of others say of people, sessions and devices, for as long as it holds."""
