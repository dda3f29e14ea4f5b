"""``sklearn-dsh index``: one gallery of several."""

import click

from .._outputs import check_space, save_or_keep
from ._command import Command, count, json_option, loading, note, print_json, quiet_option
from ._encode import about_gallery_bytes, gallery_option


@click.command(cls=Command, short_help="Make one gallery of several.")
@click.argument("galleries", nargs=-1, required=True, type=click.Path())
@gallery_option
@json_option
@quiet_option
def index(galleries, output, as_json, quiet):
    """Put GALLERIES, encoded in pieces by the same model, together into one.

    Photos keep the order of the pieces. Also tells how HammingRetriever would search the whole in
    memory, and what that takes; `search` and `serve` leave codes on disk and scan them.

    \b
    Examples:
      sklearn-dsh index piece_1 piece_2 piece_3 -o my_gallery
      sklearn-dsh index my_gallery new_gallery -o my_gallery
    """
    import numpy as np

    from ..gallery import Gallery, check_replaceable
    from ..retrieval import HammingRetriever

    check_replaceable(output)
    with loading(quiet):
        pieces = {folder: Gallery.load(folder) for folder in dict.fromkeys(galleries)}
        labelled = _check_alike(pieces)
        first = next(iter(pieces.values()))
        codes = np.concatenate([piece.codes for piece in pieces.values()])
        paths = [path for piece in pieces.values() for path in piece.paths]
        labels = [x for piece in pieces.values() for x in piece.labels] if labelled else None
        whole = Gallery(codes, first.n_bits, paths, labels, model_id=first.model_id)
        check_space(output, about_gallery_bytes(paths, first.n_bits))
        save_or_keep(whole.save, output)

        retriever = HammingRetriever().fit(codes)
        retriever.kneighbors(codes[:1], 1)
        stats = retriever.search_stats()
    n_repeated = len(paths) - len(set(paths))
    if n_repeated:
        note(
            f"{count(n_repeated, 'path')} occur more than once: such photos are found repeatedly.",
            quiet=quiet,
        )
    report = {
        "gallery": output,
        "n_pieces": len(pieces),
        "n_photos": len(whole),
        "n_bits": whole.n_bits,
        "n_code_bytes": codes.nbytes,
        "algorithm": stats["algorithm"],
        "n_structure_bytes": int(stats["n_bytes_of_structure"]),
    }
    if as_json:
        print_json(report)
        return
    click.echo(
        f"{output}: {count(len(whole), 'photo')} of {count(len(pieces), 'piece')}, "
        f"{whole.n_bits} bits each, {report['n_code_bytes']:,} bytes of codes."
    )
    click.echo(
        f"In memory HammingRetriever(algorithm='auto') takes {stats['algorithm']!r}: "
        f"{report['n_structure_bytes']:,} bytes beside the codes."
    )


def _check_alike(pieces):
    """Whether the pieces have labels; ValueError if they do not go together."""
    (first_name, first), *others = pieces.items()
    for name, piece in others:
        both = f"The galleries {first_name!r} and {name!r}"
        if piece.n_bits != first.n_bits:
            raise ValueError(
                f"{both} hold codes of {first.n_bits} and {piece.n_bits} bits: encode all pieces "
                "with the same model."
            )
        if piece.model_id != first.model_id:
            raise ValueError(
                f"{both} were encoded with different model files: encode all pieces with the same."
            )
        if (piece.labels is None) != (first.labels is None):
            raise ValueError(
                f"Of {first_name!r} and {name!r} only one has labels: encode all pieces with "
                "--labels, or all without."
            )
    return first.labels is not None
