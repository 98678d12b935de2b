"""Which comparisons a compatibility level requires, their report, remedies, and the class of a change. Pure."""
