"""Prescreening: the same reading and judging as for one chart, done for every patient of a source."""
