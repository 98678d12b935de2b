"""A second, smaller prover for pairs whose compatibility is plain to see (docs/decisions/0014)."""
