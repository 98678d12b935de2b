"""The parts of a semantic difference: its values, and how each keyword compares. Pure."""
