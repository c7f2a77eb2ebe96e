"""Bundles: one folder with all that serving needs from a run, without the dataset and without training code."""
