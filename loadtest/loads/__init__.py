"""What `make load` and `make profile` are made of, beside the users in loadtest/locust: corpus, plans, records, reports, pictures."""
