"""Hashers at the end of a Pipeline."""


def last_step(hasher):
    """The hasher itself, of a Pipeline too."""
    from sklearn.pipeline import Pipeline  # the command line starts without scikit-learn

    return hasher[-1] if isinstance(hasher, Pipeline) else hasher


def project(hasher, X):
    """What `project` of a fitted hasher gives; a Pipeline itself offers none."""
    last = last_step(hasher)
    if last is not hasher:
        for _, step in hasher.steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
    return last.project(X)
