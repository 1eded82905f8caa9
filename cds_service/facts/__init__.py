"""From a patient's record to facts: named, typed, dated values with their evidence. Opens no connection."""
