"""A cheap, incomplete proof of compatibility for common pairs; the prover decides the rest (docs/decisions/0014)."""
