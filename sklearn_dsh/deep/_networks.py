"""The torch modules that architectures share: heads, and the three networks put together.

Nothing here trains, decodes or augments; see ``_training`` and ``_batches``.
"""

import copy
import math

import numpy as np
import torch
from torch import nn

# Of `CategoryReadout`; chosen on held-out data, see docs/measurements.rst.
TEMPERATURE = 10.0  # over the logarithm of the number of categories
CODES_TEMPERATURE = 2.5


class TokenTrunk(nn.Module):
    """The copy of C2 that reads tokens, with batch norms of its own.

    Parameters
    ----------
    c2 : nn.Module
        A trunk with ``convolutions``, ``norms`` and ``run``, see `Architecture.make_trunk`.
    shared : bool, default=True
        Whether the copy has C2's own convolutions.
    """

    def __init__(self, c2, *, shared=True):
        super().__init__()
        self.norms, self.convolutions = copy.deepcopy(c2.norms), None
        if not shared:
            self.convolutions = copy.deepcopy(c2.convolutions)
            for convolution in self.convolutions:
                convolution.reset_parameters()
        self._c2 = (c2,)  # in a tuple, so that its weights are not listed twice

    def forward(self, x):
        (c2,) = self._c2
        return c2.run(x, self.convolutions or c2.convolutions, self.norms)


class FeatureTrunk(nn.Module):
    """The stand-in for a convolutional trunk on feature vectors: (n, n_features) -> (n, d, 1, 1).

    ``mean`` and ``scale`` standardise the features; they are buffers, so they are kept with the
    weights.
    """

    def __init__(self, n_features, width=1024):
        super().__init__()
        self.n_features = n_features
        # Double precision until the mean is gone: features may be large and far from zero.
        self.register_buffer("mean", torch.zeros(n_features, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(n_features, dtype=torch.float64))
        self.layers = nn.Sequential(
            nn.Linear(n_features, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)
        )
        self.out_shape = (width, 1, 1)

    def standardise(self, rows):
        """From now on, subtract the mean of ``rows`` (n, n_features), divide by their deviation."""
        mean, scale = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
        scale[scale <= 1e-13 * np.abs(mean)] = 1.0  # constant but for rounding
        for buffer, value in ((self.mean, mean), (self.scale, scale)):
            buffer.copy_(torch.from_numpy(value))

    def forward(self, x):
        return self.layers(((x - self.mean) / self.scale).float())[:, :, None, None]


def _fc(n_in, n_out, dropout):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU(inplace=True), nn.Dropout(dropout))


def _flat(shape):
    return shape[0] * shape[1] * shape[2]


class SketchHead(nn.Module):
    """C2's features of a sketch -> fc_a -> fc_b -> fc_p: (n, d, h, w) -> (n, n_bits)."""

    def __init__(self, in_shape, n_bits, hidden, dropout):
        super().__init__()
        self.fc_a = _fc(_flat(in_shape), hidden[0], dropout[0])
        self.fc_b = _fc(hidden[0], hidden[1], dropout[1])
        self.fc_p = nn.Linear(hidden[1], n_bits)

    def hidden(self, features):
        return self.fc_b(self.fc_a(features.flatten(1)))

    def forward(self, features):
        return self.fc_p(self.hidden(features))


class FusionHead(nn.Module):
    """Cross-weight late fusion (Liu et al. 2017, section 3.1) of C2(token) and C1(photo).

    The features are concatenated on the channel axis and read by two parallel fully connected
    layers, twice; the last concatenation is mapped to the bits. Without tokens the features of
    the photo alone take the place of the first concatenation.
    """

    def __init__(self, in_shape, n_bits, hidden, dropout):
        super().__init__()
        a, b = hidden
        self.fc_a_s, self.fc_a_i = (_fc(_flat(in_shape), a, p) for p in dropout)
        self.fc_b_s, self.fc_b_i = (_fc(2 * a, b, p) for p in dropout)
        self.fc_fuse = nn.Linear(2 * b, n_bits)

    def hidden(self, features):
        x = features.flatten(1)
        x = torch.cat([self.fc_a_s(x), self.fc_a_i(x)], dim=1)
        return torch.cat([self.fc_b_s(x), self.fc_b_i(x)], dim=1)

    def forward(self, features):
        return self.fc_fuse(self.hidden(features))


class LinearHead(nn.Module):
    """One layer on features that are known already: (n, d, h, w) -> (n, n_out).

    Parameters
    ----------
    in_shape : tuple of int
    n_out : int
    dropout : float
        Of the features.
    """

    def __init__(self, in_shape, n_out, dropout):
        super().__init__()
        self.dropout, self.last = nn.Dropout(dropout), nn.Linear(_flat(in_shape), n_out)

    def hidden(self, features):
        return self.dropout(features.flatten(1))

    def forward(self, features):
        return self.last(self.hidden(features))


class Same(nn.Module):
    """Another module under a second name, its weights listed under the first alone."""

    def __init__(self, module):
        super().__init__()
        self._module = (module,)  # in a tuple, so that it is no submodule

    def __getattr__(self, name):
        return getattr(self.__dict__["_module"][0], name)

    def forward(self, x):
        return self._module[0](x)


class CategoryReadout(nn.Module):
    """The last layer of networks that tell categories: ``F = softmax(z / temperature) C - m``.

    z are the outputs (n, n_categories) of a head, and C the codes (n_categories, n_bits) of the
    categories, which the alternation finds, less their mean: an item's code is that of its category
    where it is sure, and otherwise also tells which categories come next. A layer from the hidden
    features to the bits has no room for that: what it makes of an item between two categories is
    neither's neighbour. m is the mean over the items of the training, of each view its own, so that
    a view whose items lean to one category does not lean in its codes.

    Parameters
    ----------
    views : list of str
    n_categories, n_bits : int
    """

    def __init__(self, views, n_categories, n_bits):
        super().__init__()
        # With many categories a high temperature would leave an item of one nearly alike all. (A
        # buffer, so that a later version with another one gives the codes of this one's files.)
        temperature = TEMPERATURE / math.log(max(n_categories, 2))
        self.register_buffer("temperature", torch.tensor(temperature))
        for view in views:
            self.register_buffer(f"codes_{view}", torch.zeros(n_categories, n_bits))
            self.register_buffer(f"mean_{view}", torch.zeros(n_bits))

    def set_codes(self, codes):
        """Category codes by view: arrays of +1 and -1. Outputs are not centred until `set_means`.

        Less their mean, so that an item that might be anything lies between all of them; a bit
        that is one for all categories stays as it is.
        """
        for view, of_view in codes.items():
            mean = of_view.mean(axis=0)
            values = np.where(np.abs(mean) == 1, of_view, of_view - mean)
            getattr(self, f"codes_{view}").copy_(torch.from_numpy(values))
            getattr(self, f"mean_{view}").zero_()

    def set_means(self, outputs):
        """Means by view of outputs that are not centred, arrays (n_view, n_bits).

        But for bits that are one for all categories: their sign would be chance.
        """
        for view, of_view in outputs.items():
            codes = getattr(self, f"codes_{view}")
            is_one = (codes == codes[0]).all(dim=0)
            means = torch.from_numpy(of_view.mean(axis=0)).to(codes)
            getattr(self, f"mean_{view}").copy_(means.masked_fill(is_one, 0))

    def forward(self, logits, view):
        return self._mix(logits / self.temperature, view) - getattr(self, f"mean_{view}")

    def followed(self, logits, view):
        """What the codes of the training follow: surer, and not centred."""
        return self._mix(logits / CODES_TEMPERATURE, view)

    def _mix(self, logits, view):
        return torch.softmax(logits, dim=1) @ getattr(self, f"codes_{view}")


class TripleNetwork(nn.Module):
    """C1 (photos), C2 (sketches and, with the same weights, sketch tokens) and the two heads.

    Either view may be missing: its trunk and head are then None.

    Parameters
    ----------
    c1, c2, sketch_head, image_head : nn.Module or None
    token_trunk : nn.Module or None
        What reads tokens: ``c2`` itself, a `TokenTrunk`, or None without tokens.
    frozen : dict of str to nn.Module, default=None
        What images pass through before the trunks and is never trained, by view; one module may
        serve both. Tokens pass through the sketches'.
    readout : CategoryReadout, default=None
        What makes the bits' values of the heads' outputs. None: they are these outputs.
    feature_readout : FeatureReadout, default=None
        What makes the bits' values of the trunks' features instead, once the training is over.
    """

    def __init__(
        self,
        c1,
        c2,
        sketch_head,
        image_head,
        *,
        token_trunk,
        frozen=None,
        readout=None,
        feature_readout=None,
    ):
        super().__init__()
        self.c1, self.c2 = c1, c2
        self.sketch_head, self.image_head = sketch_head, image_head
        self.uses_tokens = token_trunk is not None
        self.token_trunk = None if token_trunk is c2 else token_trunk
        self.readout, self.feature_readout = readout, feature_readout
        frozen = frozen or {}
        modules = {id(module): module for module in frozen.values()}
        self.frozen = nn.ModuleList(modules.values()).requires_grad_(False).eval()
        self._frozen_of = {view: [*modules].index(id(m)) for view, m in frozen.items()}

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def frozen_part(self, view):
        """What images of a view pass through and is never trained, or None."""
        at = self._frozen_of.get(view)
        return None if at is None else self.frozen[at]

    def _enter(self, x, view, passed_frozen):
        frozen = None if passed_frozen else self.frozen_part(view)
        return x if frozen is None else frozen(x)

    def sketch(self, x, *, passed_frozen=False, output="bits"):
        """Sketches, or features (n, d), or what the frozen part makes of them -> (n, n_bits).

        ``output`` says what is wanted: "bits", what an item's code is the signs of; "codes", what
        the heads make of it for the codes of the training to follow; or the trunks' "features".
        """
        features = self.c2(self._enter(x, "sketch", passed_frozen))
        if self._reads_features(output):
            return self._read_features(features, "sketch", output)
        return self._read_out(self.sketch_head(features), "sketch", output)

    def _reads_features(self, output):
        return output == "features" or (output == "bits" and self.feature_readout is not None)

    def _read_out(self, outputs, view, output):
        if self.readout is None:
            return outputs
        read = self.readout if output == "bits" else self.readout.followed
        return read(outputs, view)

    def _read_features(self, features, view, output):
        features = features.flatten(1)
        return features if output == "features" else self.feature_readout(features, view)

    def image(self, photos, tokens=None, *, passed_frozen=False, output="bits"):
        """Photos, or features (n, d), and the photos' tokens -> (n, n_bits), as in `sketch`."""
        features = self.c1(self._enter(photos, "image", passed_frozen))
        if self._reads_features(output):
            return self._read_features(features, "image", output)
        if self.uses_tokens and tokens is None:
            raise ValueError("this network was built with sketch tokens: give tokens=")
        tokens = self._enter(tokens, "sketch", passed_frozen) if self.uses_tokens else None
        _, token_features = self.strokes(None, tokens)
        outputs = self.image_head(self.fuse(features, token_features))
        return self._read_out(outputs, "image", output)

    def strokes(self, sketches, tokens):
        """C2's features of sketches and of tokens, either of which may be None.

        This and ``c1`` take what comes out of the frozen part, if there is one.
        """
        if self.token_trunk is not None:
            return (
                None if sketches is None else self.c2(sketches),
                None if tokens is None else self.token_trunk(tokens),
            )
        if sketches is None or tokens is None:
            return (
                None if sketches is None else self.c2(sketches),
                None if tokens is None else self.c2(tokens),
            )
        # One pass, one set of batch statistics.
        features = self.c2(torch.cat([sketches, tokens]))
        return features[: len(sketches)], features[len(sketches) :]

    @staticmethod
    def fuse(photo_features, token_features):
        """concat1 of the paper: tokens first, then photos."""
        if token_features is None:
            return photo_features
        return torch.cat([token_features, photo_features], dim=1)
