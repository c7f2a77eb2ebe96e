"""Bundles: what serving needs of a run, in one folder, without the dataset and without what trains."""
