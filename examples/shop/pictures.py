"""Thumbnails and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

TILE = 160
GAP = 12
CAPTION = 22
PAPER = (250, 249, 246)
INK = (70, 68, 64)


def shrink(photo: Path, size: int, into: Path) -> Path:
    """Write a copy of a photograph that fits a square of `size` pixels."""
    target = into / f"{photo.stem}-{size}.jpg"
    with Image.open(photo) as image:
        small = image.convert("RGB")
    small.thumbnail((size, size), Image.Resampling.LANCZOS)
    return _save(small, target)


def sheet(photos: Sequence[Path], columns: int, into: Path) -> Path:
    """Write all photographs with their names on one page."""
    rows = -(-len(photos) // columns)
    page = Image.new("RGB", sheet_size(len(photos), columns), PAPER)
    draw = ImageDraw.Draw(page)
    cells = ((column, row) for row in range(rows) for column in range(columns))
    for photo, (column, row) in zip(photos, cells, strict=False):
        left, top = GAP + column * (TILE + GAP), GAP + row * (TILE + CAPTION + GAP)
        with Image.open(photo) as image:
            tile = image.convert("RGB")
        tile.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
        page.paste(tile, (left + (TILE - tile.width) // 2, top + (TILE - tile.height) // 2))
        draw.text((left + TILE / 2, top + TILE + 4), photo.stem.replace("_", " "), fill=INK, anchor="ma")
    return _save(page, into / "contact-sheet.jpg")


def sheet_size(count: int, columns: int) -> tuple[int, int]:
    """Width and height in pixels of the page that `sheet` makes for so many photographs."""
    rows = -(-count // columns)
    return GAP + columns * (TILE + GAP), GAP + rows * (TILE + CAPTION + GAP)


def _save(image: Image.Image, target: Path) -> Path:
    """Write whole or not at all: the same message may run twice, even at the same time."""
    part = target.with_suffix(f".{id(image)}.part")
    image.save(part, "JPEG", quality=88)
    return part.replace(target)
