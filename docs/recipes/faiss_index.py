"""Codes in a faiss index: packed codes are what faiss's binary indexes take."""

import faiss


def to_faiss(codes):
    """An exact index of codes (n, n_bytes), uint8. Others are filled alike, some trained before."""
    index = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(codes)
    return index
