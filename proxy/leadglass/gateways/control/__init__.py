"""The control side: `public` behind the relay of the door, `admin` on a socket of its own, `metrics` on loopback."""
