"""Edits that make a refused change compatible, each proved before it is offered."""
