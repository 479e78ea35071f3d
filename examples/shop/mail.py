"""E-mail through the server at `SHOP_SMTP` (host:port)."""

from __future__ import annotations

import os
from email.message import EmailMessage
from smtplib import SMTP, SMTPRecipientsRefused

SENDER = "shop@example.org"


def send(to: str, subject: str, text: str) -> None:
    """Send one e-mail.

    Raises:
        SMTPRecipientsRefused: The server won't take it for this address; `is_final` says whether ever.
        OSError: The server can't be reached.
    """
    host, _, port = os.environ.get("SHOP_SMTP", "localhost:25").rpartition(":")
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = SENDER, to, subject
    letter.set_content(text)
    with SMTP(host, int(port), local_hostname="shop.example.org", timeout=10) as server:
        server.send_message(letter)


def is_final(refusal: SMTPRecipientsRefused) -> bool:
    """Whether a refusal is for good. Source: RFC 5321, section 4.2.1: 4yz is transient, 5yz permanent."""
    return all(code >= 500 for code, _ in refusal.recipients.values())


def answer(refusal: SMTPRecipientsRefused) -> str:
    """What the server said."""
    return "; ".join(f"{code} {text.decode(errors='replace')}" for code, text in refusal.recipients.values())
