"""Language embeddings: encoders, the store of their vectors, and E_L for every user and item."""

from darec.text.encode import embed, encode_dataset
from darec.text.load import load_text, stored_encoders
from darec.text.report import EncodeReport

__all__ = ["EncodeReport", "embed", "encode_dataset", "load_text", "stored_encoders"]
