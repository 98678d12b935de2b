"""The Python SDK of the LLM Schema Registry."""
