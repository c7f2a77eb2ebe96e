"""Ids and names: what users and items are called outside, and their rows inside."""
