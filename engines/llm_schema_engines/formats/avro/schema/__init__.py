"""From text to nodes: the strict parser of Avro 1.12 and the forms that nodes are written in."""
