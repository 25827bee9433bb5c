"""Backup and restore: everything of a gateway that cannot be made anew, in one sealed file."""
