"""What the providers of language models accept and enforce of JSON Schema: profiles as data, checks, compiled forms. Pure."""
