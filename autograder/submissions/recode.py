"""A program of its own: decodes pictures that somebody handed in, and writes them anew. Imports Pillow alone.

In: JSON, a list of base64 texts. Out: JSON, for each picture a data URI, or why there is none.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sys

FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
MAX_PIXELS = 60_000_000  # a phone's photo has 12 to 50 million
MAX_SIDE = 1_600  # of what is shown
MAX_BYTES = 700_000  # of what is kept of a picture
MEMORY_BYTES, CPU_SECONDS = 1_500_000_000, 20


def limited() -> None:
    """Limits this process where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def recoded(data: bytes) -> str:
    """The picture as a data URI, written anew and without anything but its pixels.

    Raises:
        ValueError: it is no picture that is shown; the message says why.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # counted below, in words
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(f"it has {picture.width} × {picture.height} pixels, which is too many")
            picture.draft("RGB", (MAX_SIDE, MAX_SIDE))
            turned = ImageOps.exif_transpose(picture)
            turned.thumbnail((MAX_SIDE, MAX_SIDE))
            clear = turned.convert("RGBA")
    except UnidentifiedImageError:
        raise ValueError("it is no PNG, JPEG, GIF or WebP picture") from None
    except (OSError, SyntaxError, EOFError, MemoryError):
        raise ValueError("it cannot be read") from None
    shown = Image.new("RGB", clear.size, "white")
    shown.paste(clear, mask=clear.getchannel("A"))
    png = _written(shown, "PNG")  # optimize=True takes three times as long and saves 3%
    if len(png) <= MAX_BYTES // 3:
        return _uri("png", png)
    for quality in (85, 60, 35):
        jpeg = _written(shown, "JPEG", quality=quality)
        if len(jpeg) <= MAX_BYTES:
            return _uri("jpeg", jpeg) if len(jpeg) < len(png) else _uri("png", png)
    raise ValueError("it is too large")


def _written(picture: object, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)  # type: ignore[attr-defined]
    return buffer.getvalue()


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def main() -> None:
    """Answers for all pictures, whatever they are."""
    limited()
    results = []
    for text in json.load(sys.stdin):
        try:
            results.append({"uri": recoded(base64.b64decode(text, validate=False))})
        except ValueError as error:
            results.append({"why": str(error)[:200]})
        except Exception:
            results.append({"why": "it cannot be read"})
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
