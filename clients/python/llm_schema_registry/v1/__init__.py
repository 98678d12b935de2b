"""Generated messages and stubs of package schema_registry.v1. Do not edit: run `make proto`."""
