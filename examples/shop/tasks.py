"""The shop's tasks: pictures on Lambda; proofs, reports and e-mails on a worker."""

from __future__ import annotations

from pathlib import Path
from smtplib import SMTPRecipientsRefused

import cloudq
from cloudq.tasks import BoundTask
from examples.shop import mail, pictures, weather
from examples.shop.place import folder, here

app = cloudq.App(
    "shop",
    queues=[
        cloudq.Queue("images", consumer="lambda"),
        cloudq.Queue("proofs"),
        cloudq.Queue("reports"),
        cloudq.Queue("emails"),
    ],
)

SOON = cloudq.exponential(base=0.5, max=30)


@app.task(queue="images", retries=1, backoff=SOON)
def thumbnail(photo: str, size: int) -> dict[str, str]:
    """A small copy of a photograph."""
    return made(pictures.shrink(Path(photo), size, folder("thumbnails")))


@app.task(queue="images")
def contact_sheet(photos: list[str], columns: int = 4) -> dict[str, str]:
    """All photographs on one page."""
    return made(pictures.sheet([Path(photo) for photo in photos], columns, folder("sheets")))


@app.task(queue="reports", time_limit=60)
def weather_report(table: str, place: str, year: int) -> dict[str, str]:
    """A year's weather at a place, as a page of plots."""
    target = folder("reports") / f"{place.lower()}-{year}.png"
    return made(weather.plot(weather.read_year(Path(table), year), f"{place} {year}", target))


@app.task(bind=True, queue="emails", retries=4, backoff=SOON, retry_on=(OSError,))
def send_email(self: BoundTask, to: str, subject: str, text: str) -> dict[str, str]:
    """An e-mail; tried again while the server is away or says "later"."""
    try:
        mail.send(to, subject, text)
    except SMTPRecipientsRefused as refusal:
        if mail.is_final(refusal):
            raise cloudq.Reject(mail.answer(refusal)) from refusal
        raise
    return {"to": to, "attempt": str(self.request.retries + 1), "by": here()}


def made(path: Path) -> dict[str, str]:
    """What a task that wrote a file returns: which, and who wrote it."""
    return {"file": str(path), "by": here()}
