"""What the demo has the shop do, and what must come of it. Every expected number is counted from here."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from examples.shop import pictures, weather

Consumer = Literal["worker", "Lambda"]

QUEUES: dict[str, Consumer] = {
    "images": "Lambda",
    "proofs": "worker",
    "reports": "worker",
    "emails": "worker",
}

LAMBDA_SIZES, PROOF_SIZE = (96, 192), 288
HERE_SIZE = 240
COLUMNS = 6
YEARS = (2012, 2013, 2014, 2015)
CUSTOMERS = (
    *("ada", "alan", "barbara", "claude", "dorothy", "edsger", "frances", "grace", "hedy", "joan", "john"),
    *("karen", "katherine", "konrad", "margaret", "mary", "niklaus", "radia", "sophie", "tony"),
)
LATE, GONE = "late", "gone"
LATE_REFUSALS = 2


@dataclass(frozen=True, slots=True)
class Work:
    """One message and what must become of it.

    Args:
        task: The task's name in `examples.shop.tasks`.
        args: Its arguments.
        queue: Where it goes.
        retries: Attempts that must repeat a failed one.
        dies_of: What the reason in the dead-letter queue must say; None where it must succeed.
        file: The file that must lie in the output folder.
        size: That picture's width and height in pixels.
        to: Who must have got an e-mail.
    """

    task: str
    args: tuple[Any, ...]
    queue: str
    retries: int = 0
    dies_of: str | None = None
    file: str | None = None
    size: tuple[int, int] | None = None
    to: str | None = None

    @property
    def consumer(self) -> Consumer:
        """Who must run it."""
        return QUEUES[self.queue]


def all_work() -> list[Work]:
    """Everything that is sent, the quick and the slow mixed as a shop's day would."""
    return [*_reports(), *_thumbnails(), _sheet(), _not_a_photo(), *_proofs(), *_emails()]


def photos() -> list[Path]:
    """Photographs that scikit-image and matplotlib ship."""
    skimage, matplotlib = _package("skimage") / "data", _package("matplotlib") / "mpl-data" / "sample_data"
    names = (
        *("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg"),
        *("moon.png", "motorcycle_left.png", "motorcycle_right.png", "coins.png", "brick.png", "retina.jpg"),
        *("gravel.png", "grass.png", "ihc.png"),
    )
    return [matplotlib / "grace_hopper.jpg", *(skimage / name for name in names)]


def _package(name: str) -> Path:
    """An installed package's folder, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"The demo needs {name}: pip install 'cloudq[demo]'.")
    return Path(spec.origin).parent


def _weather_table() -> Path:
    return _package("vega_datasets") / "_data" / "seattle-weather.csv"


def _thumbnails() -> Iterator[Work]:
    for size in LAMBDA_SIZES:
        yield from (_thumbnail(photo, size, "images") for photo in photos())


def _proofs() -> Iterator[Work]:
    yield from (_thumbnail(photo, PROOF_SIZE, "proofs") for photo in photos())


def _thumbnail(photo: Path, size: int, queue: str) -> Work:
    file = f"thumbnails/{photo.stem}-{size}.jpg"
    return Work("thumbnail", (str(photo), size), queue, file=file, size=_fitted(photo, size))


def _fitted(photo: Path, size: int) -> tuple[int, int]:
    with Image.open(photo) as image:
        scale = min(1.0, size / max(image.size))
        return round(image.width * scale), round(image.height * scale)


def _sheet() -> Work:
    every = [str(photo) for photo in photos()]
    size = pictures.sheet_size(len(every), COLUMNS)
    return Work("contact_sheet", (every, COLUMNS), "images", file="sheets/contact-sheet.jpg", size=size)


def _not_a_photo() -> Work:
    """A table where a photograph is expected: the task may try twice, and then it is given up."""
    return Work(
        "thumbnail", (str(_weather_table()), 96), "images", retries=1, dies_of="cannot identify image file"
    )


def _reports() -> Iterator[Work]:
    size = tuple(inch * weather.DOTS_PER_INCH for inch in weather.INCHES)
    for year in YEARS:
        args, file = (str(_weather_table()), "Seattle", year), f"reports/seattle-{year}.png"
        yield Work("weather_report", args, "reports", file=file, size=(size[0], size[1]))


def _emails() -> Iterator[Work]:
    yield _email(GONE, dies_of="no such mailbox")
    yield _email(LATE, retries=LATE_REFUSALS)
    yield from (_email(name) for name in CUSTOMERS)


def _email(name: str, retries: int = 0, dies_of: str | None = None) -> Work:
    to = f"{name}@example.org"
    text = f"Dear {name.title()},\n\nyour prints are on their way.\n\nThe shop\n"
    args = (to, f"Your prints, {name.title()}", text)
    return Work("send_email", args, "emails", retries, dies_of, to=None if dies_of else to)


def of_queue(work: Sequence[Work], queue: str) -> list[Work]:
    """The work that goes through one queue."""
    return [one for one in work if one.queue == queue]
