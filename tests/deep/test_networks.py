import numpy as np
import pytest
import torch

from sklearn_dsh import Compact, Paper
from sklearn_dsh.deep._networks import (
    CODES_TEMPERATURE,
    CategoryReadout,
    FeatureTrunk,
    FusionHead,
    SketchHead,
)

IMAGES = {
    "n_bits": 12,
    "n_categories": None,
    "views": ["sketch", "image"],
    "inputs": {"sketch": "images", "image": "images"},
    "uses_tokens": True,
    "readout": "categories",
}


def seeded_network(sharing="all", **changes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Compact(weight_sharing=sharing).build(IMAGES | changes).eval()


def test_views_give_one_value_a_bit():
    network = seeded_network()
    sketches, photos = torch.rand(3, 1, 64, 64), torch.rand(5, 3, 64, 64)
    assert network.sketch(sketches).shape == (3, 12)
    assert network.image(photos, torch.rand(5, 1, 64, 64)).shape == (5, 12)


def test_tokens_are_read_by_the_very_weights_that_read_sketches():
    network = seeded_network()
    tokens = torch.rand(4, 1, 64, 64)
    photos = torch.rand(4, 3, 64, 64)
    before = network.image(photos, tokens), network.sketch(tokens)
    with torch.no_grad():
        next(network.c2.parameters()).mul_(1.5)
    after = network.image(photos, tokens), network.sketch(tokens)
    for old, new in zip(before, after, strict=True):
        assert not torch.allclose(old, new)


@pytest.mark.parametrize("sharing", ["all", "convolutions", "none"])
@pytest.mark.parametrize("architecture", [Compact, Paper])
def test_what_sketches_and_tokens_share(sharing, architecture):
    with torch.device("meta"):
        network = architecture(weight_sharing=sharing).build(IMAGES)
    names = set(network.state_dict())
    assert len(list(network.parameters())) == len({id(p) for p in network.parameters()})
    own = {name.split(".")[1] for name in names if name.startswith("token_trunk.")}
    assert (
        own == {"all": set(), "convolutions": {"norms"}, "none": {"norms", "convolutions"}}[sharing]
    )


def test_a_copy_that_shares_convolutions_has_statistics_of_its_own():
    network = seeded_network(sharing="convolutions").train()
    sketches, tokens = torch.rand(4, 1, 64, 64), torch.rand(4, 1, 64, 64) + 3
    features = network.strokes(sketches, tokens)
    alone = seeded_network(sharing="convolutions").train()
    torch.testing.assert_close(features[0], alone.c2(sketches))
    torch.testing.assert_close(features[1], alone.c2(tokens))  # same start, same convolutions
    mean = [trunk.norms[0].running_mean for trunk in (network.c2, network.token_trunk)]
    assert not torch.allclose(*mean)
    before = network.token_trunk(tokens)
    with torch.no_grad():
        network.c2.convolutions[0].weight[0] += 1
    assert not torch.allclose(before, network.token_trunk(tokens))


def test_an_unshared_copy_starts_elsewhere():
    network = seeded_network(sharing="none")
    pairs = zip(network.c2.convolutions, network.token_trunk.convolutions, strict=True)
    assert all(not torch.allclose(a.weight, b.weight) for a, b in pairs)


def test_late_fusion_concatenates_tokens_first():
    tokens, photos = torch.zeros(2, 3, 4, 4), torch.ones(2, 5, 4, 4)
    fused = seeded_network().fuse(photos, tokens)
    assert fused.shape == (2, 8, 4, 4)
    assert fused[:, :3].sum() == 0
    assert fused[:, 3:].min() == 1


def test_fusion_head_is_cross_weighted():
    # Each of the two layers of a stage reads the whole concatenation: with the second layer of a
    # stage silenced, the output still depends on both inputs, and it is the formula by hand.
    head = FusionHead((4, 1, 1), 3, (5, 6), (0.3, 0.4)).eval()
    x = torch.rand(2, 4, 1, 1)
    flat = x.flatten(1)
    a = torch.cat([head.fc_a_s[0](flat).relu(), head.fc_a_i[0](flat).relu()], dim=1)
    b = torch.cat([head.fc_b_s[0](a).relu(), head.fc_b_i[0](a).relu()], dim=1)
    torch.testing.assert_close(head(x), head.fc_fuse(b))
    assert head.fc_b_s[0].weight.shape == (6, 10)


def test_sketch_head_is_three_layers():
    head = SketchHead((4, 2, 2), 3, (5, 6), (0.25, 0.25)).eval()
    x = torch.rand(2, 4, 2, 2)
    expected = head.fc_p(head.fc_b[0](head.fc_a[0](x.flatten(1)).relu()).relu())
    torch.testing.assert_close(head(x), expected)


def test_feature_trunk_standardises():
    trunk = FeatureTrunk(2).eval()
    trunk.mean.copy_(torch.tensor([10.0, 20.0]))
    trunk.scale.copy_(torch.tensor([2.0, 4.0]))
    plain = FeatureTrunk(2).eval()
    plain.layers.load_state_dict(trunk.layers.state_dict())
    x = torch.tensor([[12.0, 16.0]])  # 1 and -1 deviations from the mean
    torch.testing.assert_close(trunk(x), plain(torch.tensor([[1.0, -1.0]])))


def test_without_tokens_the_photo_alone_is_read():
    network = seeded_network(uses_tokens=False)
    assert network.image(torch.rand(2, 3, 64, 64)).shape == (2, 12)


def test_missing_tokens_are_an_error():
    with pytest.raises(ValueError, match="tokens="):
        seeded_network().image(torch.rand(2, 3, 64, 64))


def test_one_view_has_one_head():
    network = seeded_network(views=["sketch"], inputs={"sketch": "images"}, uses_tokens=False)
    assert network.image_head is None
    assert network.c1 is None
    assert network.sketch(torch.rand(2, 1, 32, 32)).shape == (2, 12)


def test_gradients_match_finite_differences():
    network = seeded_network(n_bits=2).double()
    photos = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    tokens = torch.rand(2, 1, 32, 32, dtype=torch.float64)
    weight = network.c2.convolutions[0].weight
    loss = network.image(photos, tokens).pow(2).sum()
    loss.backward()
    rng = np.random.default_rng(0)
    for _ in range(4):
        index = tuple(int(rng.integers(n)) for n in weight.shape)
        values = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                weight[index] += step
                values.append(network.image(photos, tokens).pow(2).sum().item())
        with torch.no_grad():
            weight[index] += 1e-6
        slope = (values[0] - values[1]) / 2e-6
        assert weight.grad[index].item() == pytest.approx(slope, rel=1e-3, abs=1e-7)


class TestCategoryReadout:
    CODES = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [-1, -1, 1, 1]])

    def read(self, p, codes=CODES, outputs=None):
        """Values of the bits of items, of which a network says that they are p."""
        readout = CategoryReadout(["sketch"], *codes.shape)
        readout.set_codes({"sketch": codes})
        if outputs is not None:
            readout.set_means({"sketch": np.float32(outputs)})
        return readout(readout.temperature * torch.tensor(np.log(p)).float(), "sketch").numpy()

    @pytest.mark.parametrize(("n_categories", "temperature"), [(1, 14.43), (7, 5.14), (68, 2.37)])
    def test_temperature_falls_with_the_number_of_categories(self, n_categories, temperature):
        readout = CategoryReadout(["image"], n_categories, 4)
        assert readout.temperature.item() == pytest.approx(temperature, abs=0.01)

    def test_a_sure_item_has_the_code_of_its_category(self):
        p = np.full((3, 3), 1e-6)
        np.fill_diagonal(p, 1 - 2e-6)
        np.testing.assert_array_equal(np.where(self.read(p) >= 0, 1, -1), self.CODES)

    def test_values_are_the_posteriors_mean_of_centred_codes(self):
        centred = self.CODES - self.CODES.mean(axis=0)
        centred[:, 2] = 1  # one for all
        p = np.array([[0.5, 0.3, 0.2]])
        np.testing.assert_allclose(self.read(p), p @ centred, atol=1e-6)

    def test_means_are_taken_off_but_of_bits_that_are_one_for_all(self):
        p = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
        outputs = np.array([[1, 2, 0.9, 0], [3, 0, 0.7, 1]])
        expected = self.read(p) - [2, 1, 0, 0.5]
        np.testing.assert_allclose(self.read(p, outputs=outputs), expected, atol=1e-6)

    def test_a_bit_that_parts_the_categories_in_halves_is_centred(self):
        codes = np.array([[1, 1], [-1, 1]])
        outputs = [[0.5, 1], [0.3, 1]]
        p = np.array([[0.8, 0.2]])
        np.testing.assert_allclose(self.read(p, codes, outputs), [[0.6 - 0.4, 1]], atol=1e-6)

    def test_what_the_codes_follow_is_surer_and_not_centred(self):
        readout = CategoryReadout(["sketch"], 3, 4)
        readout.set_codes({"sketch": self.CODES})
        readout.set_means({"sketch": np.ones((2, 4), np.float32)})
        z = torch.randn(5, 3)
        expected = torch.softmax(z / CODES_TEMPERATURE, dim=1) @ readout.codes_sketch
        torch.testing.assert_close(readout.followed(z, "sketch"), expected)
        assert readout.temperature > CODES_TEMPERATURE

    def test_new_codes_are_not_centred_by_old_means(self):
        readout = CategoryReadout(["sketch"], 3, 4)
        readout.set_codes({"sketch": self.CODES})
        z = torch.randn(5, 3)
        before = readout(z, "sketch")
        readout.set_means({"sketch": np.ones((2, 4), np.float32)})
        readout.set_codes({"sketch": self.CODES})
        torch.testing.assert_close(readout(z, "sketch"), before)

    def test_bits_depend_on_the_category_that_comes_second(self):
        codes = np.random.default_rng(0).choice([-1, 1], (3, 200))
        p = np.array([[0.6, 0.38, 0.02], [0.6, 0.02, 0.38]])
        bits = np.where(self.read(p, codes) >= 0, 1, -1)
        agree = bits @ codes.T
        assert agree[:, 0].min() >= agree[:, 1:].max()
        assert agree[0, 1] > agree[0, 2]
        assert agree[1, 2] > agree[1, 1]
