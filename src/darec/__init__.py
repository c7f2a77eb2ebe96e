"""darec: bring what language models know into collaborative filtering."""
