"""A folder of drawings, and what the commands make of it."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from sklearn_dsh import make_sketch_photo
from sklearn_dsh.cli._main import commands

SIZE = 32


def run(*arguments, code=0, **kwargs):
    """Run a command line; what it gave, after a look at its exit code."""
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments], **kwargs)
    assert result.exit_code == code, result.output
    return result


def write_folder(root, data):
    for folder, images, labels in (
        ("sketch", data.sketches, data.y_sketch),
        ("photo", data.images, data.y_image),
    ):
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = root / folder / label / f"{i:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)


def images_of(folder):
    return [str(path) for path in sorted(Path(folder).rglob("*.png"))]


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Only read: ``data``, the model ``cca.model`` and ``gallery``, its codes of the photos."""
    root = tmp_path_factory.mktemp("cli")
    data = make_sketch_photo(
        n_categories=3, n_sketches=30, n_photos=36, size=SIZE, difficulty=0.5, random_state=0
    )
    write_folder(root / "data", data)
    run("fit", root / "data", root / "cca.model", "--method", "CCA-ITQ", "--bits", 20,
        "--size", SIZE, "--protocol", "paper")  # fmt: skip
    run(
        "encode",
        root / "cca.model",
        root / "data" / "photo",
        "-o",
        root / "gallery",
        "--labels",
    )
    return root


@pytest.fixture(name="run", scope="session")
def run_fixture():
    return run


@pytest.fixture(name="write_folder")
def write_folder_fixture():
    return write_folder


@pytest.fixture(name="images_of")
def images_of_fixture():
    return images_of
