"""python -m llm_schema_registry_server: the same as the command schema-registry-server."""

from .cli import main

main()
