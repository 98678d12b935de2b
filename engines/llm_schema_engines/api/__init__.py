"""The public face of the engines: what `llm_schema_engines` offers to programs that have no server."""
