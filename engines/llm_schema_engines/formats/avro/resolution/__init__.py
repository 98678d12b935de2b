"""May a reader's schema read what a writer's schema writes? (Avro 1.12, "Schema Resolution".)"""
