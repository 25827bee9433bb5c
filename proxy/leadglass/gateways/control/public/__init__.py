"""What devices (and later people) reach below /.leadglass/, through the door."""
