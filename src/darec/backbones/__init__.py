"""Collaborative models, one file each; the contract is in base.py."""
