"""The networks' step of the alternation: gradient steps that make the outputs follow the codes."""

import math

import numpy as np
import torch
from torch import nn

from . import _augmentation as augmentation
from ._batches import BatchSampler, as_tensor, blocks
from ._losses import Targets, code_loss
from ._networks import FeatureTrunk
from ._pixels import to_network

WARM_UP = 0.05  # of all steps
# Measured with 3,600 sketches and 1,300 photos: within the steps of a fit, strong deformation,
# erasing and mixup help photos, while sketches are then still underfitted.
SKETCH_WARP = {"degrees": 5.0, "scale": (0.95, 1.05), "shift": 0.03, "elastic": 0.01}
PHOTO_WARP = {"degrees": 13.0, "scale": (0.8, 1.15), "shift": 0.1, "elastic": 0.04}
MIXUP_PROBABILITY = 0.5  # that the photos of a step are mixed
WITHOUT_MIXUP = 0.1  # the last part of all steps sees unmixed items
MIXUP_ALPHA = 0.4


def standardise(network, sources):
    """Let the trunks of feature vectors subtract the mean and divide by the deviation."""
    for view, trunk in (("sketch", network.c2), ("image", network.c1)):
        if isinstance(trunk, FeatureTrunk) and view in sources:
            rows = sources[view][:]
            mean, scale = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
            scale[scale == 0] = 1.0
            for buffer, value in ((trunk.mean, mean), (trunk.scale, scale)):
                buffer.copy_(torch.from_numpy(value))


class NetworkTrainer:
    """Optimiser, schedule and batches over all rounds.

    Parameters
    ----------
    network : TripleNetwork
    sources : dict view -> source of rows (see `_batches`)
    tokens : uint8 array (n_images, size, size) or None
        Of the size of sketches.
    labels : dict view -> int array
    n_steps : int
        Over all rounds: the learning rate rises, then falls to zero as a cosine.
    random_state : numpy.random.RandomState
    generator : torch.Generator
    settings : DeepSketchHasher
        Read for loss, batch_size, learning_rate, weight_decay, augment, class_balanced and
        auxiliary_weight.
    pixels : dict or None
        See `_pixels`.
    """

    def __init__(
        self,
        network,
        sources,
        tokens,
        labels,
        n_steps,
        device,
        random_state,
        generator,
        settings,
        pixels=None,
    ):
        self.network, self.sources, self.tokens = network, sources, tokens
        self.pixels = pixels
        self.labels, self.n_steps, self.device = labels, n_steps, device
        self.random_state, self.generator, self.settings = random_state, generator, settings
        self.step = 0
        n_categories = 1 + max(int(y.max()) for y in labels.values())
        # Gives C1 a gradient that does not pass through the fusion: thrown away after fit.
        self.helper = None
        if "image" in sources and settings.auxiliary_weight:
            self.helper = nn.Linear(network.c1.out_shape[0], n_categories).to(device)
        self.samplers = {
            view: BatchSampler(
                y, settings.batch_size, random_state, balanced=settings.class_balanced
            )
            for view, y in labels.items()
        }
        self.optimizer = self._make_optimizer()
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)

    def _make_optimizer(self):
        parameters = list(self.network.parameters())
        if self.helper is not None:
            parameters += self.helper.parameters()
        groups = [
            {
                "params": [p for p in parameters if p.ndim > 1],
                "weight_decay": self.settings.weight_decay,
            },
            # Biases and batch norm are not decayed.
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.settings.learning_rate, fused=True)

    def _rate(self, step):
        warm_up = (step + 1) / (WARM_UP * self.n_steps + 1)
        return min(warm_up, 0.5 * (1 + math.cos(math.pi * step / self.n_steps)))

    def run(self, n_steps, item_codes, category_codes, progress):
        """``n_steps`` steps towards the codes given.

        Parameters
        ----------
        item_codes : dict view -> int8 array (n_view, n_bits)
        category_codes : dict view -> int8 array (n_categories, n_bits)
        progress : tqdm bar

        Returns
        -------
        losses : list of float, one a step
        """
        tensors = {
            view: torch.from_numpy(codes.astype(np.float32)).to(self.device)
            for view, codes in category_codes.items()
        }
        self.network.train()
        losses = []
        for _ in range(n_steps):
            loss = self._loss(item_codes, tensors)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            self.step += 1
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise ValueError(
                    f"The networks' loss became {losses[-1]} in step {self.step}: the training "
                    f"diverged. Lower learning_rate={self.settings.learning_rate}, or scale "
                    "features that are very large."
                )
            progress.update()
            progress.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
        return losses

    def _loss(self, item_codes, category_codes):
        settings = self.settings
        inputs, tokens, targets = {}, None, {}
        for view, sampler in self.samplers.items():
            rows = sampler.draw()
            batch = as_tensor(self.sources[view][rows], self.device)
            maps = None
            if view == "image" and self.tokens is not None:
                maps = as_tensor(self.tokens[rows], self.device)
            if settings.augment and batch.ndim == 4:
                augment = self._augment_sketches if view == "sketch" else self._augment_photos
                batch, maps = augment(batch, maps)
            codes = torch.from_numpy(item_codes[view][rows].astype(np.float32)).to(self.device)
            labels = torch.from_numpy(self.labels[view][rows]).long().to(self.device)
            weight, partner = self._mixup(len(rows)) if view == "image" else (None, None)
            if weight is not None:
                batch = torch.lerp(batch[partner], batch, weight)
                if maps is not None:
                    maps = torch.lerp(maps[partner], maps, weight)
                weight = torch.full((len(rows),), weight, device=self.device)
            inputs[view] = to_network(batch, self.pixels)
            targets[view] = Targets(codes, labels, weight, partner)
            tokens = tokens if maps is None else to_network(maps, self.pixels)
        return self._total_loss(inputs, tokens, targets, category_codes)

    def _total_loss(self, inputs, tokens, targets, category_codes):
        net, kind = self.network, self.settings.loss
        extra = self.settings.auxiliary_weight
        loss = 0.0
        sketches, token_features = net.strokes(inputs.get("sketch"), tokens)
        if sketches is not None:
            # Tokens are also trained as if they were sketches: the bridge between the views.
            bridged = extra and token_features is not None
            drawn = torch.cat([sketches, token_features]) if bridged else sketches
            outputs = net.sketch_head(drawn)
            n = len(sketches)
            loss = loss + code_loss(outputs[:n], targets["sketch"], category_codes["sketch"], kind)
            if bridged:
                loss = loss + extra * code_loss(
                    outputs[n:], targets["image"], category_codes["image"], kind
                )
        if "image" in inputs:
            photo_features = net.c1(inputs["image"])
            outputs = net.image_head(net.fuse(photo_features, token_features))
            loss = loss + code_loss(outputs, targets["image"], category_codes["image"], kind)
            if self.helper is not None:
                logits = self.helper(photo_features.mean(dim=(2, 3)))
                loss = loss + extra * targets["image"].cross_entropy(logits)
        return loss

    def _mixup(self, n):
        late = self.step >= (1 - WITHOUT_MIXUP) * self.n_steps
        if not self.settings.augment or late or self.random_state.rand() >= MIXUP_PROBABILITY:
            return None, None
        weight = float(self.random_state.beta(MIXUP_ALPHA, MIXUP_ALPHA))
        return weight, torch.randperm(n, generator=self.generator).to(self.device)

    def _augment_sketches(self, sketches, _):
        g = self.generator
        sketches = augmentation.random_strokes(sketches, g)
        grid = augmentation.random_warp(len(sketches), sketches.shape[2:], g, **SKETCH_WARP)
        return augmentation.warp(sketches, grid.to(self.device)), None

    def _augment_photos(self, photos, tokens):
        # A photo and its token move, and are erased, together.
        g = self.generator
        grid = augmentation.random_warp(len(photos), photos.shape[2:], g, **PHOTO_WARP)
        grid = grid.to(self.device)
        boxes = augmentation.random_boxes(len(photos), g)

        def change(images):
            moved = augmentation.warp(images, augmentation.grid_for(grid, images.shape[2:]))
            return augmentation.erase(moved, boxes)

        photos = augmentation.random_colours(change(photos), g)
        return photos, None if tokens is None else change(tokens)

    def outputs(self):
        """The networks' outputs on all training items: dict view -> float32 (n_view, n_bits)."""
        return {
            view: compute_outputs(
                self.network,
                source,
                view,
                self.device,
                tokens=_TokenRows(self.tokens),
                pixels=self.pixels,
            )
            for view, source in self.sources.items()
        }


class _TokenRows:
    """Tokens of a block of training photos: looked up, not computed again."""

    def __init__(self, tokens):
        self.tokens = tokens

    def __call__(self, rows, photos):
        return None if self.tokens is None else self.tokens[rows]


def compute_outputs(network, source, view, device, *, tokens, pixels=None, batch_size=256):
    """F of every row of ``source``: float32 (n, n_bits).

    ``tokens(rows, photos)`` gives the token maps of a batch, or None; for pixels see `_pixels`.
    """
    network.eval()
    parts = []
    with torch.inference_mode():
        for rows in blocks(len(source), batch_size):
            batch = source[rows]
            x = to_network(as_tensor(batch, device), pixels)
            if view == "sketch":
                outputs = network.sketch(x)
            else:
                maps = tokens(rows, batch)
                maps = None if maps is None else to_network(as_tensor(maps, device), pixels)
                outputs = network.image(x, maps)
            parts.append(outputs.float().cpu().numpy())
    return np.concatenate(parts)
