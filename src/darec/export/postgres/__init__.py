"""A bundle in PostgreSQL: pushed as versions, and served from there."""
