"""Which rows make the batches of a training, and which photos are mixed."""

from dataclasses import dataclass, field

import numpy as np
import torch

MIXUP_PROBABILITY = 0.5  # that the photos of a step are mixed
WITHOUT_MIXUP = 0.1  # the last part of all steps sees unmixed items
MIXUP_ALPHA = 0.4


@dataclass
class Step:
    """The batch of one gradient step, whole even where several processes share it.

    Attributes
    ----------
    rows : dict view -> int array (batch_size,)
    weight : float or None
        Photo i is mixed as ``weight * i + (1 - weight) * partner[i]``; None where none is.
    partner : int array (batch_size,) or None
    versions : dict view -> int array (batch_size,)
        Which of the versions of an item is taken, where a view has several.
    """

    rows: dict
    weight: float | None = None
    partner: np.ndarray | None = None
    versions: dict = field(default_factory=dict)

    def needed(self, view, own):
        """Positions in the batch that a process must read for its ``own`` positions."""
        if view == "sketch" or self.partner is None:
            return own
        return np.union1d(own, self.partner[own])


class StepPlanner:
    """Draws the batches of all rounds, so that files can be read ahead of their step.

    Parameters
    ----------
    labels : dict view -> int array (n_view,)
    n_steps : int
        Over all rounds.
    random_state : numpy.random.RandomState
    settings : object
        With batch_size and class_balanced, as in DeepSketchHasher.
    mixes : bool
        Whether photos are mixed.
    paired : bool
        Whether the rows of both views are the same in every step.
    n_versions : dict view -> int, default=None
        Versions of each item, of the views whose items have several.
    """

    def __init__(
        self, labels, n_steps, random_state, settings, *, mixes=False, paired=False, n_versions=None
    ):
        self.n_steps, self.random_state = n_steps, random_state
        self.batch_size = settings.batch_size
        self.views, self.mixes = tuple(labels), mixes and "image" in labels
        self.n_versions = n_versions or {}
        self.samplers = {
            view: BatchSampler(
                labels[view], self.batch_size, random_state, balanced=settings.class_balanced
            )
            for view in (self.views[:1] if paired else self.views)
        }

    def plan(self, first, n):
        """Steps number ``first`` to ``first + n``: list of `Step`."""
        return [self._draw(number) for number in range(first, first + n)]

    def _draw(self, number):
        rows = {view: sampler.draw() for view, sampler in self.samplers.items()}
        step = Step({view: rows.get(view, rows[self.views[0]]) for view in self.views})
        step.versions = {
            view: self.random_state.randint(n, size=self.batch_size)
            for view, n in self.n_versions.items()
        }
        late = number >= (1 - WITHOUT_MIXUP) * self.n_steps
        if self.mixes and not late and self.random_state.rand() < MIXUP_PROBABILITY:
            step.weight = float(self.random_state.beta(MIXUP_ALPHA, MIXUP_ALPHA))
            step.partner = self.random_state.permutation(self.batch_size)
        return step

    def state_dict(self):
        return {view: sampler.state_dict() for view, sampler in self.samplers.items()}

    def load_state_dict(self, state):
        for view, sampler in self.samplers.items():
            sampler.load_state_dict(state[view])


class BatchSampler:
    """Rows of one view for a training step: every category equally often, or in shuffled turns.

    Parameters
    ----------
    labels : int array (n,)
    batch_size : int
    random_state : numpy.random.RandomState
    balanced : bool
    """

    def __init__(self, labels, batch_size, random_state, *, balanced=True):
        self.batch_size, self.random_state = batch_size, random_state
        groups = [np.flatnonzero(labels == c) for c in np.unique(labels)]
        self.groups = groups if balanced else [np.arange(len(labels))]
        self.queues = [np.empty(0, dtype=np.intp) for _ in self.groups]
        self.turns = np.empty(0, dtype=np.intp)

    def _take(self, queue, n, refill):
        while len(queue) < n:
            queue = np.concatenate([queue, self.random_state.permutation(refill)])
        return queue[:n], queue[n:]

    def draw(self):
        """Row numbers (batch_size,): every row of a group comes once before any comes again."""
        turns, self.turns = self._take(self.turns, self.batch_size, len(self.groups))
        rows = []
        for group, n in zip(*np.unique(turns, return_counts=True), strict=True):
            taken, self.queues[group] = self._take(self.queues[group], n, self.groups[group])
            rows.append(taken)
        return np.concatenate(rows)

    def state_dict(self):
        """The rows still to come."""
        return {
            "turns": torch.from_numpy(self.turns.copy()),
            "queues": [torch.from_numpy(queue.copy()) for queue in self.queues],
        }

    def load_state_dict(self, state):
        self.turns = state["turns"].numpy()
        self.queues = [queue.numpy() for queue in state["queues"]]
