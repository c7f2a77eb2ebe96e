"""Ways to bring language into a collaborative model, one file each; the contract is in base.py."""
