"""FashionMNIST: found beside the notebook, in a folder or downloaded, and compared with its checksum."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
FASHION_FILE = "fashion_mnist_5000_1000.npz"
FASHION_DIGESTS = {  # sha256 of the bytes of training images, training labels, test images, test labels
    False: "10e2c73b83c53eb264a8d3eb182ae4a010c75d9782f0813c1625877fd728d637",
    True: "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
}
FASHION_FOLDERS = ("/usr/share/datasets/fashion-mnist", "fashion-mnist", "data/fashion-mnist")
IDX_STEMS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

Images = tuple[np.ndarray, np.ndarray]


def load_fashion_mnist(folder: str | os.PathLike[str] | None = None, full: bool = False) -> dict[str, Images]:
    """FashionMNIST as ``{"train": (images, labels), "test": (images, labels)}``, uint8, images (n, 28, 28).

    Looks, in this order: for the course's file beside the notebook; for a folder of IDX files (``folder``,
    the environment variable ``FASHION_MNIST``, Debian's package dataset-fashion-mnist); then asks
    torchvision, where it is installed, to download (as in Colab). The contents are compared with a checksum
    wherever they come from.

    Args:
        folder: a folder with the four IDX files, gzipped or not; it may also hold the course's file.
        full: all 60,000 + 10,000 images instead of the first 500 + 100 of each class.

    Raises:
        FileNotFoundError: the images are nowhere to be had; the message lists what was tried.
    """
    tried: list[str] = []
    for source, read in _fashion_sources(folder, full):
        try:
            arrays = read()
        except Exception as error:  # any source may fail in its own way; the next one is tried
            tried.append(f"{source}: {type(error).__name__}: {str(error)[:150]}")
            continue
        if not full and len(arrays[0]) > 5000:
            arrays = _first_of_each(arrays[0], arrays[1], 500) + _first_of_each(arrays[2], arrays[3], 100)
        digest = hashlib.sha256()
        for array in arrays:
            digest.update(np.ascontiguousarray(array, dtype=np.uint8).tobytes())
        if digest.hexdigest() != FASHION_DIGESTS[full]:
            tried.append(f"{source}: its checksum is wrong (damaged, or another data set)")
            continue
        print(
            f"FashionMNIST from {source}: {len(arrays[0]):,} training and {len(arrays[2]):,} test images,"
            " checksum right."
        )
        return {"train": arrays[:2], "test": arrays[2:]}
    wanted = "the full FashionMNIST" if full else "FashionMNIST"
    advice = (
        ""
        if full
        else (
            f" Put {FASHION_FILE} (from the course's notebooks/data folder) beside this notebook; in Colab:"
            " Files, Upload."
        )
    )
    raise FileNotFoundError(
        f"Could not load {wanted}. Tried:\n" + "\n".join(f"  - {line}" for line in tried) + f"\n{advice}"
    )


def _fashion_sources(folder: str | os.PathLike[str] | None, full: bool) -> Iterator[tuple[str, Any]]:
    if not full:
        for place in (".", "data", "notebooks/data", *([folder] if folder else [])):
            path = Path(place) / FASHION_FILE
            yield str(path), lambda path=path: _read_npz(path)
    for named in (folder, os.environ.get("FASHION_MNIST"), *FASHION_FOLDERS):
        if named:
            yield (
                f"IDX files in {named}",
                lambda named=named: tuple(_read_idx(Path(named), stem) for stem in IDX_STEMS),
            )
    yield "torchvision's download", _download_with_torchvision


def _read_npz(path: Path) -> tuple[np.ndarray, ...]:
    with np.load(path) as held:
        return tuple(held[name].astype(np.uint8) for name in ("x_train", "y_train", "x_test", "y_test"))


def _read_idx(folder: Path, stem: str) -> np.ndarray:
    """One IDX file of unsigned bytes: two zeros, type 8, the number of axes, their sizes, the data."""
    path = folder / f"{stem}.gz"
    data = gzip.decompress(path.read_bytes()) if path.is_file() else (folder / stem).read_bytes()
    zeros, kind, axes = struct.unpack(">HBB", data[:4])
    if zeros or kind != 8:
        raise ValueError(f"{path.name} is no IDX file of unsigned bytes")
    shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _download_with_torchvision() -> tuple[np.ndarray, ...]:
    from torchvision.datasets import FashionMNIST  # type: ignore[import-not-found, unused-ignore]  # optional

    print("Downloading FashionMNIST (30 MB) with torchvision …", flush=True)
    folder = Path(tempfile.gettempdir()) / "fashion-mnist-torchvision"
    FashionMNIST(folder, train=True, download=True)
    raw = folder / "FashionMNIST" / "raw"
    return tuple(_read_idx(raw, stem) for stem in IDX_STEMS)


def _first_of_each(images: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(10)]))
    return images[rows], labels[rows]
