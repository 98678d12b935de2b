"""Is a payload valid? Binary, Avro's JSON encoding, and plain JSON; no value is built."""
