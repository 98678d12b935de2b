"""The engines of the LLM Schema Registry as a library: JSON Schema, Avro and Protobuf, without a server."""
