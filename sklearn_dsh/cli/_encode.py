"""``sklearn-dsh encode``: from image files to a gallery."""

import os

import click

from .._hasher_files import load_hasher
from .._outputs import check_space, save_or_keep
from .._pipelines import compute_on, last_step
from ._command import Command, count, device_option, loading, note, quiet_option, trust_option
from ._files import encode_files, find_images

gallery_option = click.option(
    "--output",
    "-o",
    "output",
    required=True,
    type=click.Path(),
    metavar="GALLERY",
    help="Folder of the gallery; one that is there is replaced.",
)


def about_gallery_bytes(paths, n_bits):
    """What a gallery of files takes on the disk, without labels."""
    return sum(len(os.fsencode(path)) for path in paths) + len(paths) * (-(-n_bits // 8) + 8)


@click.command(cls=Command, short_help="Encode photos into a gallery.")
@click.argument("model", type=click.Path())
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True))
@gallery_option
@click.option(
    "--view",
    type=click.Choice(["image", "sketch"]),
    default="image",
    show_default=True,
    help="What the files are: photos or sketches.",
)
@click.option(
    "--labels",
    is_flag=True,
    help="Keep the category of each: the folder that it is in, in PATH or, for a file, itself.",
)
@click.option("--skip-bad", is_flag=True, help="Leave out, and tell, what cannot be read.")
@device_option("that of the model")
@trust_option
@quiet_option
def encode(model, paths, output, view, labels, skip_bad, device, trust_pickle, quiet):
    """Encode image files with MODEL and keep their codes in a gallery.

    PATHS are files; folders, with all images below them; or - for a list on stdin, one a line. The
    gallery holds the codes and the absolute paths, not the images.

    \b
    Examples:
      sklearn-dsh encode model.safetensors my_photos -o my_gallery
      sklearn-dsh encode model.safetensors my_folder/photo -o my_gallery --labels
      find my_photos -name '*.jpg' -size +20k | sklearn-dsh encode model.safetensors - -o my_gallery
    """
    from ..gallery import Gallery, check_replaceable, hash_file

    check_replaceable(output)  # known before anything is encoded
    found = find_images(paths, labels=labels)
    files = list(found)
    with loading(quiet):
        hasher = load_hasher(model, trust_pickle=trust_pickle)
        compute_on(hasher, device)
    n_bits = last_step(hasher).n_bits
    check_space(output, about_gallery_bytes(files, n_bits))
    model_id = hash_file(model)  # now: another model may be written there while this one encodes
    codes, bad = encode_files(hasher, files, view, quiet=quiet, skip_bad=skip_bad)
    read = [path for path in files if path not in bad]
    categories = [found[path] for path in read] if labels else None
    save_or_keep(Gallery(codes, n_bits, read, categories, model_id=model_id).save, output)
    if bad:  # told with --quiet, too: the gallery is not what was asked for
        note(f"Left out {count(len(bad), 'file')} that cannot be read:")
        for reason in bad.values():
            note(f"  {reason}")
    noun = "photo" if view == "image" else "sketch"
    note(f"Wrote {output}: {count(len(read), noun)}, {n_bits} bits each.", quiet=quiet)
