"""Exact search in Hamming space."""

from sklearn_dsh.retrieval._hamming import HammingRetriever

__all__ = ["HammingRetriever"]
