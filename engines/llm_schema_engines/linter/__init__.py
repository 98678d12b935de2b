"""Findings about a schema that is valid and unwise: rules for each type, without a server. Pure."""
