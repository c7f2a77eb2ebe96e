"""Language embeddings: encoders, the store of their vectors, and E_L for every user and item."""

from darec.text.encode import EncodeReport, embed, encode_dataset
from darec.text.load import load_text, stored_encoders

__all__ = ["EncodeReport", "embed", "encode_dataset", "load_text", "stored_encoders"]
