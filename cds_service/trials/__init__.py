"""Rule files: what a trial asks, as data that the people who signed the protocol can read."""
