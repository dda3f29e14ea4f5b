"""Warnings of this library's own, by which a caller can switch one off."""

__all__ = ["BitDepthWarning", "OneViewWarning", "PassedOverWarning"]


class OneViewWarning(UserWarning):
    """Categories that have sketches and no photos, or photos and no sketches.

    A few may be meant; many are often names that are not spelled alike. Where it is meant:

    >>> import warnings
    >>> from sklearn_dsh.exceptions import OneViewWarning
    >>> warnings.simplefilter("ignore", OneViewWarning)

    On the command line ``PYTHONWARNINGS="ignore:Categories of one view"`` does the same.
    """


class PassedOverWarning(UserWarning):
    """What a folder holds and was not read: other files, folders without images."""


class BitDepthWarning(UserWarning):
    """Images with 16 bits a channel that do not use all of them, and what they were taken for."""
