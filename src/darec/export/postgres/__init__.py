"""Bundles in PostgreSQL: pushing them as versions, and recommending from there."""
