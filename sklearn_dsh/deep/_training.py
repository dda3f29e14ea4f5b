"""The networks' step of the alternation: gradient steps that make the outputs follow the codes."""

import math

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from . import _augmentation as augmentation
from ._batches import as_tensor
from ._computing import compute_outputs
from ._feature_readout import learn_readout
from ._interrupts import held_back, until_interrupted
from ._losses import Drawn
from ._optimizer import Optimizer
from ._pixels import to_network
from ._reading import read_ahead
from ._weights import numpy_state, random_states, restore_numpy_state, restore_random_states

# Measured with 3,600 sketches and 1,300 photos: within the steps of a fit, strong deformation,
# erasing and mixup help photos, while sketches are then still underfitted.
SKETCH_WARP = {"degrees": 5.0, "scale": (0.95, 1.05), "shift": 0.03, "elastic": 0.01}
PHOTO_WARP = {"degrees": 13.0, "scale": (0.8, 1.15), "shift": 0.1, "elastic": 0.04}
LOSSES_TOGETHER = 20  # steps between two looks at the losses


def standardise(network, sources):
    """Let the trunks of vectors subtract the mean and divide by the deviation of theirs."""
    for view, trunk in (("sketch", network.c2), ("image", network.c1)):
        if hasattr(trunk, "standardise") and view in sources:
            trunk.standardise(sources[view][:])


class _TrainedOutputs(nn.Module):
    """All outputs that a loss is taken of, in one forward pass: what is compiled and distributed.

    Parameters
    ----------
    network : TripleNetwork
    helper : nn.Module or None
        Gives C1 a gradient that does not pass through the fusion: thrown away after fit.
    bridged : bool
        Whether tokens are also trained as if they were sketches: the bridge between the views.
    """

    def __init__(self, network, helper, bridged):
        super().__init__()
        self.network, self.helper, self.bridged = network, helper, bridged

    def forward(self, sketches, photos, tokens):
        """Dict name -> tensor (n, n_bits), of "helper" (n, n_categories)."""
        net, outputs = self.network, {}
        sketch_features, token_features = net.strokes(sketches, tokens)
        if sketches is not None:
            drawn = [sketch_features, token_features] if self.bridged else [sketch_features]
            drawn = net.sketch_head(torch.cat(drawn))
            outputs["sketch"] = drawn[: len(sketches)]
            if self.bridged:
                outputs["token"] = drawn[len(sketches) :]
        if photos is not None:
            photo_features = net.c1(photos)
            outputs["image"] = net.image_head(net.fuse(photo_features, token_features))
            if self.helper is not None:
                outputs["helper"] = self.helper(photo_features.mean(dim=(2, 3)))
        return outputs


def _moving_average(decay, steps_done):
    """Torch's moving average, whose decay grows to ``decay`` while the first weights are near.

    With a constant 0.999, a thousand steps leave the random start a third of the average.
    """

    def average(averaged, current, n_averaged):
        n = steps_done()  # n_averaged is on the device, and asking for it would wait for a GPU
        get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averaged, current, n_averaged)

    return average


class NetworkTrainer:
    """Optimiser and batches over all rounds.

    Parameters
    ----------
    network : TripleNetwork
    data : TrainingSet
    planner : StepPlanner
    device : torch.device
    generator : torch.Generator
    settings : estimator
        Read for batch_size, augment, auxiliary_weight, ema_decay, compile, n_jobs, and what
        `Optimizer` reads.
    processes : Processes
    """

    def __init__(self, network, data, planner, device, generator, settings, processes):
        self.network, self.data, self.device = network, data, device
        self.planner, self.generator, self.settings = planner, generator, settings
        self.processes, self.step = processes, 0
        self.own = processes.share(settings.batch_size)
        n_categories = 1 + max(int(y.max()) for y in data.labels.values())
        helper = None
        if "image" in data.sources and settings.auxiliary_weight:
            helper = nn.Linear(network.c1.out_shape[0], n_categories).to(device)
        bridged = bool(
            settings.auxiliary_weight and data.tokens is not None and "sketch" in data.sources
        )
        n = settings.batch_size
        drawn = np.concatenate([self.own, n + self.own]) if bridged else self.own
        processes.prepare(
            network, {"sketch_head": (drawn, n * (1 + bridged)), "image_head": (self.own, n)}
        )
        model = _TrainedOutputs(network, helper, bridged)
        self.helper = helper
        self.optimizer = Optimizer(model, planner.n_steps, device, settings)
        if settings.compile:
            model.compile()
        self.average = None
        if settings.ema_decay is not None:
            average = _moving_average(settings.ema_decay, lambda: self.step)
            self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
        self.model = processes.wrap(model)

    @property
    def result(self):
        """The network that the training gives: the one trained, or its moving average."""
        return self.network if self.average is None else self.average.module

    def read_out(self, method):
        """Let networks that tell categories read the bits out of the codes of a method."""
        for network in {self.network, self.result}:
            if network.readout is not None:
                network.readout.set_codes(method.category_codes())

    def learn_readout(self):
        """Let a network that reads the bits out of what it learned know how, from all items."""
        readout = self.result.feature_readout
        if readout is None:
            if self.result.readout is not None:
                self.result.readout.set_means(self.outputs())
            return
        features = self.outputs(output="features")
        random_state = np.random.RandomState(self.generator.initial_seed())
        readout.set_arrays(
            self.processes.first(
                lambda: learn_readout(features, self.data.labels, readout.n_bits, random_state)
            )
        )

    def run(self, n_steps, loss_of, progress, *, begun=None, keeper=None):
        """``n_steps`` steps down a loss.

        Parameters
        ----------
        loss_of : callable
            ``loss_of(outputs, drawn)`` gives the loss of a step, as `CodeLoss` does.
        progress : tqdm bar
        begun : dict, default=None
            What ``keeper`` was given in the midst of these steps, to go on from.
        keeper : object, default=None
            Its ``is_due()`` says whether ``keep(begun)`` is to be called: between steps, and when
            the training is interrupted.

        Returns
        -------
        losses : list of float, one a step

        Raises
        ------
        KeyboardInterrupt
            After the step in which it came was kept.
        """
        if begun is None:
            begun = {
                "first": self.step,
                "losses": [],
                "planner": self.planner.state_dict(),
                "random": numpy_state(self.planner.random_state),
            }
        else:
            self.go_back_to(begun)
        steps = self.planner.plan(begun["first"], n_steps)[self.step - begun["first"] :]
        requests = [{view: self._places(step, view) for view in step.rows} for step in steps]
        batches = read_ahead(self.data.sources, requests, self.settings.n_jobs)
        self.network.train()
        losses, pending = begun["losses"], []
        with held_back(keeper is not None and self.processes.n == 1) as interrupted:
            for step, batch in zip(steps, until_interrupted(batches, interrupted), strict=False):
                pending.append(self._take_step(step, batch, loss_of))
                progress.update()
                is_last = len(losses) + len(pending) == n_steps
                is_due = keeper is not None and not is_last and self._is_due(keeper, pending)
                # Asking a GPU for a number waits for it: not in every step.
                if len(pending) == LOSSES_TOGETHER or is_last or is_due or interrupted():
                    losses += self._finite(self.processes.mean(torch.stack(pending)))
                    pending = []
                    progress.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
                if is_due:
                    keeper.keep(begun)
            if interrupted():
                keeper.keep(begun)
        if interrupted():
            raise KeyboardInterrupt
        return losses

    def go_back_to(self, begun):
        """To where steps that ``run`` had begun are drawn again, those that were taken, too."""
        if len(begun["losses"]) != self.step - begun["first"]:
            raise ValueError(f"{len(begun['losses'])} losses of {self.step - begun['first']} steps")
        self.planner.load_state_dict(begun["planner"])
        restore_numpy_state(begun["random"], self.planner.random_state)

    def _take_step(self, step, batch, loss_of):
        """The loss of a step, which is taken."""
        inputs = self._inputs(step, batch)
        drawn = {view: self._drawn(step, view) for view in step.rows}
        with self.optimizer.autocast():
            outputs = self.model(*inputs)
        loss = loss_of({name: values.float() for name, values in outputs.items()}, drawn)
        self.optimizer.step(loss)
        if self.average is not None:
            self.average.update_parameters(self.network)
        self.step += 1
        return loss.detach()

    def _is_due(self, keeper, pending):
        """Whether all processes are to keep their state now; they ask each other now and then."""
        if self.processes.n == 1:
            return keeper.is_due()
        return len(pending) == LOSSES_TOGETHER and self.processes.broadcast(keeper.is_due())

    def _finite(self, losses):
        for i, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise ValueError(
                    f"The networks' loss became {loss} in step {self.step - len(losses) + i + 1}: "
                    f"the training diverged. Lower learning_rate={self.settings.learning_rate}, or "
                    "scale features that are very large."
                )
        return losses

    def _places(self, step, view):
        """Where a source, and what lies beside it, finds what this process needs."""
        needed = step.needed(view, self.own)
        rows = step.rows[view][needed]
        return (rows, step.versions[view][needed]) if view in step.versions else rows

    def _inputs(self, step, batch):
        """Sketches, photos and tokens as the networks read them; None for what is not there."""
        inputs = {"sketch": None, "image": None, "token": None}
        for view, images in batch.items():
            needed = step.needed(view, self.own)
            images, maps = as_tensor(images, self.device), None
            if view == "image" and self.data.tokens is not None:
                maps = as_tensor(self.data.tokens[self._places(step, view)], self.device)
            is_pixels = not self.data.sources[view].passed_frozen and images.ndim == 4
            if self.settings.augment and is_pixels:
                n = self.settings.batch_size
                draws = augmentation.Draws(self.generator, n, needed, self.device)
                augment = self._augment_sketches if view == "sketch" else self._augment_photos
                images, maps = augment(images, maps, draws)
            if view == "image" and step.partner is not None:
                own, partner = (
                    torch.from_numpy(np.searchsorted(needed, rows)).to(self.device)
                    for rows in (self.own, step.partner[self.own])
                )
                images = torch.lerp(images[partner], images[own], step.weight)
                if maps is not None:
                    maps = torch.lerp(maps[partner], maps[own], step.weight)
            inputs[view] = to_network(images, self.data.pixels[view])
            if maps is not None:
                inputs["token"] = to_network(maps, self.data.pixels["sketch"])
        return inputs["sketch"], inputs["image"], inputs["token"]

    def _drawn(self, step, view):
        """The items behind this process's outputs of a view."""

        def labels(rows):
            return torch.from_numpy(self.data.labels[view][rows]).to(self.device).long()

        rows = step.rows[view][self.own]
        if view == "sketch" or step.partner is None:
            return Drawn(rows, labels(rows))
        partner_rows = step.rows[view][step.partner[self.own]]
        weight = torch.tensor(step.weight, device=self.device)
        return Drawn(rows, labels(rows), weight, partner_rows, labels(partner_rows))

    def _augment_sketches(self, sketches, _, draws):
        sketches = augmentation.random_strokes(sketches, draws)
        grid = augmentation.random_warp(draws, sketches.shape[2:], **SKETCH_WARP)
        return augmentation.warp(sketches, grid), None

    def _augment_photos(self, photos, tokens, draws):
        # A photo and its token move, and are erased, together.
        grid = augmentation.random_warp(draws, photos.shape[2:], **PHOTO_WARP)
        boxes = augmentation.random_boxes(draws)

        def change(images):
            moved = augmentation.warp(images, augmentation.grid_for(grid, images.shape[2:]))
            return augmentation.erase(moved, boxes)

        photos = augmentation.random_colours(change(photos), draws)
        return photos, None if tokens is None else change(tokens)

    def outputs(self, data=None, output="bits"):
        """The networks' outputs on all items of a `TrainingSet`, by default that of the training.

        Parameters
        ----------
        data : TrainingSet, default=None
        output : {"bits", "codes", "features"}, default="bits"
            See `TripleNetwork.sketch`.

        Returns
        -------
        outputs : dict view -> float32 (n_view, n_bits), or (n_view, n_features)
        """
        data = self.data if data is None else data
        outputs = {}
        for view, source in data.sources.items():

            def part(rows, view=view, source=source):
                return compute_outputs(
                    self.result,
                    source,
                    view,
                    self.device,
                    rows=rows,
                    tokens=lambda rows, _: None if data.tokens is None else data.tokens[rows],
                    pixels=data.pixels,
                    n_jobs=self.settings.n_jobs,
                    output=output,
                )

            outputs[view] = self.processes.gather(part, len(source))
        return outputs

    def state_dict(self):
        """All that decides the steps to come, as tensors, numbers and lists of these."""
        return {
            "network": self.network.state_dict(),
            "helper": {} if self.helper is None else self.helper.state_dict(),
            "average": {} if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "planner": self.planner.state_dict(),
            "random": random_states(self.planner.random_state, self.generator, self.device),
        }

    def load_state_dict(self, state):
        self.network.load_state_dict(state["network"])
        if self.helper is not None:
            self.helper.load_state_dict(state["helper"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.planner.load_state_dict(state["planner"])
        restore_random_states(
            state["random"], self.planner.random_state, self.generator, self.device
        )
