"""What every face that speaks protobuf needs, whatever the API: methods from descriptors, statuses, serialized calls."""
