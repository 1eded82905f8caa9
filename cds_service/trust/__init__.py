"""Who calls, and what a call of theirs may do."""
