"""Ids and names of users and items, and their rows in tables."""
