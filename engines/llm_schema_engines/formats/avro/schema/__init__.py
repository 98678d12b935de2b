"""The strict parser of Avro 1.12, the parsed types, and the canonical forms that they are written in."""
