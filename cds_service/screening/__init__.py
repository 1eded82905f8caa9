"""The one place that joins reading a chart with judging it; every door comes through here."""
