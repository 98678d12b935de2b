"""One call, whatever the wire: Call, the pipeline, its guards."""
