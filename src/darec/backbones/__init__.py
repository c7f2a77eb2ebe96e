"""Backbones: collaborative models. Each has one file, and base.py defines the contract."""
