"""A decision procedure for regular expressions: intersection, complement, emptiness, shortest words. Pure."""
