"""From facts to verdicts: criteria, gates, the status of a patient for a trial, what decides, and why."""
