"""Recommendation lists of a run or a bundle, for one user or for all, and the conditions on their items."""
