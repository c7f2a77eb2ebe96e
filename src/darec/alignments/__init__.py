"""Alignments: ways to bring language into a collaborative model.

Each has one file, and base.py defines the contract.
"""
