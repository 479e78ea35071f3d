"""The HTML page of what came of it: one file, with the pictures beside it, nothing from elsewhere."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from cloudq.results import Record
from examples.demo.audit import Findings
from examples.demo.cloud import DeadLetter
from examples.demo.inputs import HERE_SIZE, LAMBDA_SIZES, LATE, PROOF_SIZE, Work, photos
from examples.demo.smtp_sink import SmtpSink

_HEADINGS = ("queue", "published", "done by worker", "done by Lambda", "retried", "dead")


def write_page(output: Path, findings: Findings, inbox: SmtpSink) -> Path:
    """Write index.html into the output folder."""
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    body = "\n".join(
        [
            "<h1>One function, three places</h1>",
            _verdict(findings),
            _table(findings),
            *_three_places(findings),
            *_sheet(findings),
            *_thumbnails(findings),
            *_reports(findings),
            *_mail(inbox),
            *_dead_letters(findings),
        ]
    )
    page = output / "index.html"
    page.write_text(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>cloudq: the demo</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n",
        encoding="utf-8",
    )
    return page


def _verdict(findings: Findings) -> str:
    if not findings.missing:
        return (
            "<p>The shop's work went through queues in the local emulator, to a worker and to Lambda. "
            "Every number below was read back from the queues, the results, the files and the inbox, and is "
            "what it should be.</p>"
        )
    lines = "".join(f"<li>{escape(line)}</li>" for line in findings.missing)
    return f'<article><h3 class="bad">Not everything is there</h3><ul>{lines}</ul></article>'


def _table(findings: Findings) -> str:
    rows = [(queue, *astuple(row)) for queue, row in findings.found.items()]
    total = ("all", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True)))
    head = "".join(f"<th>{heading}</th>" for heading in _HEADINGS)
    lines = ("".join(f"<td>{cell}</td>" for cell in row) for row in [*rows, total])
    table = f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
    return f'<div class="scroll">{table}</div>'


def _three_places(findings: Findings) -> Iterator[str]:
    stem = photos()[0].stem
    yield "<h2>The same task, wherever it runs</h2>"
    yield "<p><code>thumbnail(photo, size)</code> called as a function, sent to a worker, sent to Lambda.</p>"
    yield '<div class="three">'
    file = f"thumbnails/{stem}-{HERE_SIZE}.jpg"
    yield _figure(file, f'<b class="here">called</b><br>thumbnail(…, {HERE_SIZE})')
    for size in (PROOF_SIZE, *reversed(LAMBDA_SIZES)):
        yield _made(findings.records, f"thumbnails/{stem}-{size}.jpg", f"thumbnail.apply_async((…, {size}))")
    yield "</div>"


def _sheet(findings: Findings) -> Iterator[str]:
    yield "<h2>The contact sheet</h2>"
    yield "<p>All photographs on one page, drawn by the Lambda function in one task.</p>"
    yield _made(findings.records, "sheets/contact-sheet.jpg", "contact_sheet.delay(photos)")


def _thumbnails(findings: Findings) -> Iterator[str]:
    yield "<h2>Proofs</h2>"
    yield "<p>Real photographs that scikit-image and matplotlib ship, made smaller by the worker.</p>"
    yield '<div class="grid">'
    for photo in photos():
        yield _made(findings.records, f"thumbnails/{photo.stem}-{PROOF_SIZE}.jpg", escape(photo.name))
    yield "</div>"


def _reports(findings: Findings) -> Iterator[str]:
    yield "<h2>Reports</h2>"
    yield "<p>Four years of weather in Seattle, the data set of vega_datasets, plotted by the worker.</p>"
    yield '<div class="grid wide">'
    for work, _ in findings.records:
        if work.queue == "reports" and work.file:
            yield _made(findings.records, work.file, escape(f"weather_report.delay(…, {work.args[2]})"))
    yield "</div>"


def _mail(inbox: SmtpSink) -> Iterator[str]:
    letters = sorted(inbox.folder.glob("*.eml"))
    late = [said for address, said in inbox.answers if address.startswith(LATE)]
    yield "<h2>E-mails</h2>"
    yield f"<p>{len(letters)} arrived at a mail server on this machine. It greylists one address: "
    yield f"“{escape('”, then “'.join(late))}”. The task was tried again until it went through.</p>"
    yield f'<ul class="mail">{"".join(map(_letter, letters))}</ul>'


def _letter(path: Path) -> str:
    letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    return f'<li><a href="inbox/{path.name}">{escape(str(letter["To"]))}</a></li>'


def _dead_letters(findings: Findings) -> Iterator[str]:
    yield "<h2>Dead letters</h2>"
    yield "<p>What can't succeed ends in the queue's dead-letter queue, with the reason beside it.</p>"
    yield from (_dead_letter(letter) for letter in findings.dead_letters)


def _dead_letter(letter: DeadLetter) -> str:
    reason = letter.reason
    facts = [f"queue {letter.queue}", str(reason.get("code"))]
    if failures := reason.get("failures"):
        facts.append(f"{failures} attempts")
    if died_at := reason.get("died_at"):
        facts.append(_instant(died_at))
    trace = reason.get("traceback")
    return (
        f"<article><h3>{escape(str(letter.body.get('task')))}</h3>"
        f"<p>{escape(', '.join(facts))}</p>"
        f'<p class="bad">{escape(str(reason.get("text")))}</p>'
        f"<details><summary>The message, and what it died of</summary>"
        f"<pre>{escape(str(dict(letter.body)))}</pre>"
        f"<pre>{escape(str(trace or reason.get('error')))}</pre></details></article>"
    )


def _made(records: Sequence[tuple[Work, Record]], file: str, caption: str) -> str:
    """A picture with who made it, as the task's result says."""
    record = next((record for work, record in records if work.file == file), None)
    if record is None or record.state != "SUCCESS":
        return f'<figure><figcaption class="bad">{file} is missing</figcaption></figure>'
    by = str(record.result["by"])
    consumer = "worker" if by.startswith("process ") else "Lambda"
    where = f"worker, {by}" if consumer == "worker" else f"Lambda, {by}"
    return _figure(file, f'<b class="{consumer}">{escape(where)}</b><br>{caption}')


def _figure(file: str, caption: str) -> str:
    return (
        f'<figure><a href="{file}"><img src="{file}" alt="" loading="lazy"></a>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _instant(value: Any) -> str:
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return str(value)
