"""The tidy table: its schema, its formats, tables of others."""
