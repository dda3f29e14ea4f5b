import gzip
import re
import struct
import sys
import tracemalloc
from types import ModuleType

import numpy as np
import pytest

from sklearn_dsh import DeepSketchHasher
from sklearn_dsh.datasets._word_vectors import encode_class_names, load_class_vectors

WORDS = [
    ("the", [0.25, -1.5, 2.0]),
    ("dog", [3.0, 4.0, 0.0]),
    ("hot_air_balloon", [0.0, 0.0, 2.0]),
    ("hot", [1.0, 0.0, 0.0]),
    ("air", [0.0, 1.0, 0.0]),
    ("balloon", [0.5, 0.5, -1.0]),
    ("sea", [2.0, 0.0, 0.0]),
    ("turtle", [0.0, 2.0, 1.0]),
    ("Turkey", [9.0, 9.0, 9.0]),
    ("mouse", [1.0, 2.0, 3.0]),
    ("animal", [3.0, 2.0, 1.0]),
]


def as_text(words, header=True, end="\n"):
    """Of pairs (word, vector)."""
    lines = [f"{len(words)} {len(words[0][1])}"] if header else []
    lines += [f"{word} {' '.join(map(str, vector))}" for word, vector in words]
    return "".join(line + end for line in lines).encode()


def as_binary(words, end=b"\n"):
    d = len(words[0][1])
    records = [w.encode() + b" " + struct.pack(f"<{d}f", *vector) + end for w, vector in words]
    return f"{len(words)} {d}\n".encode() + b"".join(records)


FILES = {
    "word2vec.txt": as_text(WORDS),
    "fasttext.vec": as_text(WORDS, end=" \n"),  # a space stands before each line break
    "windows.txt": as_text(WORDS, end="\r\n"),
    "glove.txt": as_text(WORDS, header=False),
    "word2vec.bin": as_binary(WORDS),
    "gensim.bin": as_binary(WORDS, end=b""),
}


def write(tmp_path, content, name="words.txt"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_every_format(tmp_path, name, compressed):
    content = gzip.compress(FILES[name]) if compressed else FILES[name]
    path = write(tmp_path, content, name + ".gz" * compressed)
    for source in (path, str(path)):
        vectors = load_class_vectors(source, ["dog", "sea turtle"], normalize=False)
        assert list(vectors) == ["dog", "sea turtle"]
        assert all(v.dtype == np.float64 and v.shape == (3,) for v in vectors.values())
        np.testing.assert_array_equal(vectors["dog"], [3, 4, 0])
        np.testing.assert_array_equal(vectors["sea turtle"], [1, 1, 0.5])
    kind = "binary" if name.endswith(".bin") else "text"
    given = load_class_vectors(path, ["dog"], format=kind)
    np.testing.assert_allclose(given["dog"], [0.6, 0.8, 0], atol=1e-15)


@pytest.mark.parametrize("name", ["word2vec.txt", "word2vec.bin"])
@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("hot-air balloon", [0, 0, 2]),
        ("hot_air_balloon", [0, 0, 2]),
        ("Hot Air Balloon", [0, 0, 2]),
        ("HotAirBalloon", [0, 0, 2]),
        ("hot, air/balloon", [0, 0, 2]),
        ("hot_(air_balloon)", [0, 0, 2]),
        ("sea_turtle", [1, 1, 0.5]),
        ("SeaTurtle", [1, 1, 0.5]),
        ("sea--turtle ", [1, 1, 0.5]),
        ("Turkey", [9, 9, 9]),  # "turkey" is not there
        ("mouse (animal)", [2, 2, 2]),
        ("mouse_(sea_animal)", [1.75, 1.5, 1.75]),  # half mouse, half the mean of sea and animal
        ("balloon (hot air)", [0.5, 0.5, -0.5]),
        ("(dog)", [3, 4, 0]),
    ],
)
def test_how_names_are_found(tmp_path, name, label, expected):
    path = write(tmp_path, FILES[name])
    vectors = load_class_vectors(path, ["the", label], normalize=False)
    np.testing.assert_array_equal(vectors[label], expected)
    unit = load_class_vectors(path, [label])[label]
    np.testing.assert_allclose(unit, np.array(expected) / np.linalg.norm(expected))


def test_spellings_of_the_file(tmp_path):
    path = write(tmp_path, "jack-o-lantern 1 2\nteddy bear 3 4\njack 5 6\nJack 7 8\nbear 0 1\n")
    vectors = load_class_vectors(
        path, ["jack_o_lantern", "Jack O Lantern", "teddy_bear", "TeddyBear"], normalize=False
    )
    assert [v.tolist() for v in vectors.values()] == [[1, 2], [1, 2], [3, 4], [3, 4]]
    for lowercase, expected in ((True, [5, 6]), (False, [7, 8])):
        found = load_class_vectors(path, ["Jack"], lowercase=lowercase, normalize=False)
        assert found["Jack"].tolist() == expected
    with pytest.raises(ValueError, match=r"no vector for 1 of 1 categories: 'Bear'\. "):
        load_class_vectors(path, ["Bear"], lowercase=False)


@pytest.mark.parametrize("content", [as_text, as_binary])
def test_first_of_duplicates_and_other_alphabets(tmp_path, content):
    path = write(tmp_path, content([("ärger", [0, 0]), ("dog", [3, 4]), ("dog", [3, 5])]))
    vectors = load_class_vectors(path, ["dog", "Ärger", "dog ärger"], normalize=False)
    assert [v.tolist() for v in vectors.values()] == [[3, 4], [0, 0], [1.5, 2]]


def test_words_with_spaces_are_read_from_the_right(tmp_path):
    # As in GloVe's 840B file; and a word that is nothing but a no-break space.
    text = ", 1 1\n. . . 5 5\nat name@domain.com 6 6\n\u00a0 8 8\nat 2 3\nname 9 9\n"
    path = write(tmp_path, text)
    assert load_class_vectors(path, ["at"], normalize=False)["at"].tolist() == [2, 3]
    found = load_class_vectors(path, ["at name@domain.com"], normalize=False)
    assert found["at name@domain.com"].tolist() == [6, 6]


def test_labels_that_are_no_names(tmp_path):
    path = write(tmp_path, FILES["glove.txt"])
    y = np.array(["dog", "mouse", "dog"])
    vectors = load_class_vectors(path, y)
    assert list(vectors) == ["dog", "mouse"]
    vectors = load_class_vectors(path, {0: "dog", 1: "Sea Turtle"}, normalize=False)
    assert {k: v.tolist() for k, v in vectors.items()} == {0: [3, 4, 0], 1: [1, 1, 0.5]}
    for classes, shown in (([0, 1], "0 for the label 0"), ({"a": " "}, "' ' for the label 'a'")):
        with pytest.raises(ValueError, match=f"classes has {shown}: expected a name"):
            load_class_vectors(path, classes)
    with pytest.raises(ValueError, match="classes is empty"):
        load_class_vectors(path, [])


def test_all_misses_are_told_at_once(tmp_path):
    path = write(tmp_path, FILES["word2vec.txt"])
    classes = ["dog", "blimp", "sea cow", "jack-o-lantern", "mouse (beast)"]
    message = (
        f"{str(path)!r} has no vector for 4 of 5 categories: 'blimp', 'sea cow' (without 'cow'), "
        "'jack-o-lantern' (without 'jack', 'o', 'lantern'), 'mouse (beast)' (without 'beast'). "
        "Give the name to look for with classes={label: name}, for all labels; missing='ignore' "
        "averages the words that are there, if any."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_class_vectors(path, classes)
    with pytest.raises(ValueError, match=r"no vector for 2 of 5 categories: 'blimp', 'jack-o-lant"):
        load_class_vectors(path, classes, missing="ignore")
    some = load_class_vectors(path, classes[2::2], missing="ignore", normalize=False)
    assert [v.tolist() for v in some.values()] == [[2, 0, 0], [1, 2, 3]]
    with pytest.raises(ValueError, match=r"categories: 7 as 'sea cow' \(without 'cow'\)\."):
        load_class_vectors(path, {7: "sea cow"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("2 3\ndog 1 2 3\ncat 1 2\n", "line 3: 2 values, expected 3 as by the header."),
        ("2 3\ncow 1 2\ncat 1 2 3\n", "line 2: 2 values, expected 3 as by the header."),
        ("2 3\ndog 1 2 3\ncat 1 2 3 4\n", "line 3: 4 values, expected 3 as by the header."),
        ("dog 1 2 3\ncat 1 2 3 4\n", "line 2: 4 values, expected 3 as by line 1."),
        ("dog 1 2 3\ncat 1\n", "line 2: 1 values, expected 3 as by line 1."),
        ("dog 1 2 3\ncat 1 x2 3\n", "line 2: value 2 is 'x2', expected a finite number."),
        ("1 2\ncat 1 nan\n", "line 2: value 2 is 'nan', expected a finite number."),
        ("dog 1 2\n\ncat inf 1\n", "line 3: value 1 is 'inf', expected a finite number."),
        ("", "line 1: b'', expected a word and its values"),
        ("dog\t1\t2\n", r"line 1: b'dog\\t1\\t2\\n', expected a word and its values"),
    ],
)
def test_broken_text(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match=f"^{re.escape(repr(str(path)))}, {message}"):
        load_class_vectors(path, ["cat"])


def test_broken_binary(tmp_path):
    content = as_binary([("dog", [1, 2]), ("cat", [3, 4])])
    at_cat = len(b"2 2\n") + len(b"dog ") + 8
    path = write(tmp_path, content[:-3])
    with pytest.raises(
        ValueError,
        match=rf"words\.txt', byte {at_cat}: expected word 2 of 2, a space and 2 float32 values, "
        "got 11 bytes that are not that. The file is cut off, or of another kind",
    ):
        load_class_vectors(path, ["cat"])
    with pytest.raises(ValueError, match=r"byte 0: b'dog 1 2.*', expected the numbers of words"):
        load_class_vectors(write(tmp_path, "dog 1 2\n"), ["cat"], format="binary")
    path = write(tmp_path, as_binary([("dog", [1, 2]), ("cat", [3, np.nan])], end=b""))
    message = f"byte {at_cat}: value 2 is 'nan', expected a finite number"
    with pytest.raises(ValueError, match=message):
        load_class_vectors(path, ["cat"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"5 2\n" + b"x" * (1 << 20), "line 2: it is longer than 1048576 bytes, expected a word"),
        (b"x" * (1 << 20), "line 1: it is longer than 1048576 bytes"),
        (b"2 1000000\ncat 1 2\n", "tells of vectors of 1000000 values in its header: expected"),
        (b"2 " + b"9" * 5000 + b"\ncat 1 2\n", "tells of vectors of 1000000000000000000 values"),
        (b"9 999999999\n" + bytes(99), "tells of vectors of 999999999 values in its header"),
        (b"2 2\ncat 1e39 0\n", "line 2: value 1 is '1e39', expected a finite number"),
    ],
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_memory_is_bounded_whatever_a_file_says(content, message, compress, tmp_path):
    path = write(tmp_path, compress(content))
    with pytest.raises(ValueError, match=message) as error:
        load_class_vectors(path, ["cat"])
    assert str(path) in str(error.value)


def test_a_value_that_may_be_cut_off_is_told(tmp_path):
    path = write(tmp_path, "dog 1 2\ncat 3 4.5")
    with pytest.warns(UserWarning, match=r"line 2: the vector of 'cat' is the end of the file"):
        load_class_vectors(path, ["cat"])
    load_class_vectors(path, ["dog"])


@pytest.mark.parametrize("content", [as_text, as_binary])
def test_fewer_words_than_the_header_tells(tmp_path, content):
    path = write(tmp_path, content(WORDS).replace(b"11 3\n", b"12 3\n"))
    message = r"words\.txt' tells of 12 words in its header and has 11: the file may be cut off"
    with pytest.warns(UserWarning, match=message):
        vectors = load_class_vectors(path, ["sea turtle"], normalize=False)
    assert vectors["sea turtle"].tolist() == [1, 1, 0.5]
    with pytest.warns(UserWarning, match=message), pytest.raises(ValueError, match="no vector for"):
        load_class_vectors(path, ["blimp"])


def test_reading_stops_when_all_is_found(tmp_path):
    # Nothing behind the last wanted word is looked at, be it broken or not there.
    path = write(tmp_path, "9 2\ncat 1 2\ndog 3 4\nmouse x\n")
    assert list(load_class_vectors(path, ["dog", "cat"])) == ["dog", "cat"]


def test_other_files(tmp_path):
    content = gzip.compress(as_text(WORDS))
    damaged = content[:20] + bytes([content[20] ^ 255]) + content[21:]
    for broken in (content[:-20], damaged):
        with pytest.raises(ValueError, match=r"words\.txt': the gzip data are damaged or cut off"):
            load_class_vectors(write(tmp_path, broken), ["zebra"])
    fasttext = struct.pack("<i", 793712314) + bytes(50)
    with pytest.raises(ValueError, match=r"words\.txt' is a fastText model: take the \.vec file"):
        load_class_vectors(write(tmp_path, fasttext), ["dog"])
    with pytest.raises(ValueError, match=r"is a zip archive: extract it first"):
        load_class_vectors(write(tmp_path, b"PK\x03\x04" + bytes(50)), ["dog"])
    with pytest.raises(ValueError, match=r"There is no file 'nowhere\.txt': expected one of wor"):
        load_class_vectors("nowhere.txt", ["dog"])


def test_a_zero_vector_has_no_direction(tmp_path):
    path = write(tmp_path, "cat 0 0\ndog 1 1\nleft 1 0\nright -1 0\n")
    with pytest.raises(ValueError, match=r"zero for 'cat', 'left right' in '.*words\.txt', which"):
        load_class_vectors(path, ["cat", "dog", "left right"])
    assert load_class_vectors(path, ["cat"], normalize=False)["cat"].tolist() == [0, 0]


def test_bad_arguments(tmp_path):
    path = write(tmp_path, FILES["glove.txt"])
    for settings in ({"format": "glove"}, {"missing": "drop"}, {"lowercase": "yes"}):
        with pytest.raises(ValueError, match=f"The '{next(iter(settings))}' parameter"):
            load_class_vectors(path, ["dog"], **settings)
    with pytest.raises(ValueError, match="The 'classes' parameter"):
        load_class_vectors(path, "dog")


def peak_of(function, *args):
    tracemalloc.start()
    try:
        return function(*args), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Files of 30 MB. Counting every allocation takes most of the time.
SIZES = [(30_000, 250), pytest.param(1_000_000, 5, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_binary_files_are_not_held_in_memory(tmp_path, n, d):
    records = np.zeros(n, dtype=[("word", "S8"), ("space", "S1"), ("values", "<f4", d)])
    records["word"] = np.char.mod("w%07d", np.arange(n))
    records["space"], records["values"] = b" ", np.arange(n)[:, None] / n
    path = tmp_path / "words.bin"
    with open(path, "wb") as file:
        file.write(b"%d %d\n" % (n, d))
        records.tofile(file)
    assert path.stat().st_size > 28e6
    del records
    classes = [f"w0000001 w{n - 1:07d}", "w0015000"]
    vectors, peak = peak_of(load_class_vectors, path, classes)
    for vector in vectors.values():
        np.testing.assert_allclose(vector, d**-0.5)
    assert peak < 6e6  # some blocks of 1 MiB


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_text_files_are_not_held_in_memory(tmp_path, n, d):
    path = tmp_path / "words.txt"
    with open(path, "w") as file:
        values = " 0.5" * (d - 1)
        file.writelines(f"w{i:07d}{values} {i}\n" for i in range(n))
    assert path.stat().st_size > 28e6
    classes = [f"w0000001 w{n - 1:07d}", f"w{n // 2:07d}"]
    vectors, peak = peak_of(load_class_vectors, path, classes)
    assert [round(0.5 * v[-1] / v[0]) for v in vectors.values()] == [n // 2, n // 2]
    assert peak < 6e6


class Encoder:
    """What stands for a SentenceTransformer: tells lengths, and remembers what it was asked."""

    def __init__(self, folder=None, local_files_only=False):
        self.folder, self.local_files_only, self.asked = folder, local_files_only, []

    def encode(self, sentences):
        self.asked += sentences
        return np.array([[len(s), 4.0] for s in sentences], dtype=np.float32)


def test_names_are_encoded_as_words():
    model = Encoder()
    y = ["hot_air_balloon", "SeaTurtle", "mouse (animal)", "t-shirt", "SeaTurtle"]
    vectors = encode_class_names(y, model, normalize=False)
    assert model.asked == ["hot air balloon", "Sea Turtle", "mouse (animal)", "t-shirt"]
    assert list(vectors) == y[:4]
    assert [v.tolist() for v in vectors.values()] == [[15, 4], [10, 4], [14, 4], [7, 4]]
    assert vectors["t-shirt"].dtype == np.float64
    vectors = encode_class_names({0: "abc", 1: "a_B"}, model)
    assert model.asked[4:] == ["abc", "a_B"]
    assert {k: v.tolist() for k, v in vectors.items()} == {0: [0.6, 0.8], 1: [0.6, 0.8]}


def test_an_encoder_from_a_folder(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"There is no folder 'all-MiniLM-L6-v2'\. Models are n"):
        encode_class_names(["dog"], "all-MiniLM-L6-v2")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ImportError, match=r"pip install sentence-transformers"):
        encode_class_names(["dog"], tmp_path)
    made = []
    package = ModuleType("sentence_transformers")
    package.SentenceTransformer = lambda *a, **k: made.append(Encoder(*a, **k)) or made[-1]
    monkeypatch.setitem(sys.modules, "sentence_transformers", package)
    assert encode_class_names(["dog"], tmp_path)["dog"].tolist() == [0.6, 0.8]
    assert (made[0].folder, made[0].local_files_only) == (str(tmp_path), True)


@pytest.mark.parametrize(
    ("answer", "shape"), [([1.0, 2.0], r"\(2,\)"), ([[1.0], [np.nan]], r"\(2, 1\)")]
)
def test_an_encoder_that_gives_something_else(answer, shape):
    model = Encoder()
    model.encode = lambda sentences: answer
    message = rf"array of shape {shape} for 2 names: expected finite values of shape \(2, d\)"
    with pytest.raises(ValueError, match=message):
        encode_class_names(["cat", "dog"], model)
    with pytest.raises(ValueError, match="The 'model' parameter"):
        encode_class_names(["cat", "dog"], 3)


def test_the_hasher_takes_the_vectors(tmp_path):
    path = write(tmp_path, FILES["word2vec.bin"])
    rng, y = np.random.default_rng(0), np.array(["dog", "sea turtle", "mouse (animal)"] * 6)
    X = rng.normal(size=(18, 5))
    vectors = load_class_vectors(path, y)
    hasher = DeepSketchHasher(8, class_vectors=vectors, max_iter=1, steps_per_iter=2)
    hasher.fit(X, X, y)
    assert hasher.basis_.shape == (3, 8)
