"""The handlers of the RPCs: proto messages in, use cases, proto messages out."""
