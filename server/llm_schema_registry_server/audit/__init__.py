"""The audit log: what was decided and written, by whom; and the proof that nobody has altered that since (docs/audit.md)."""
