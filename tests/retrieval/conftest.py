import pytest

from sklearn_dsh.retrieval import _linear_scan


@pytest.fixture
def small_work_is_split(monkeypatch):
    """Split the work of small inputs as that of big ones, and work in many small blocks."""
    monkeypatch.setattr(_linear_scan, "_BYTES_PER_THREAD", 1)
    monkeypatch.setattr(_linear_scan, "_QUERIES_PER_THREAD", 4)
    monkeypatch.setattr(_linear_scan, "_QUERIES_PER_BLOCK", 3)
    monkeypatch.setattr(_linear_scan, "_FEWEST_QUERIES", 3)
    monkeypatch.setattr(_linear_scan, "_BLOCK_BYTES", 1)
