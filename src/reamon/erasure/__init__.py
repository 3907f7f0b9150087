"""Erasure: the data of one person, deleted everywhere, with a receipt.

Example:
    ```python
    from pathlib import Path

    from reamon.erasure import Subject, erase

    receipt = erase(Subject("phone", "+1 555 010 2030"), store="calls.db", outbox=Path(".reamon/outbox.sqlite"))
    print(receipt.traces, receipt.is_complete)
    ```
"""

from reamon.erasure.erasing import erase, erase_again, receipts
from reamon.erasure.receipt import Receipt
from reamon.erasure.subject import Subject

__all__ = ["Receipt", "Subject", "erase", "erase_again", "receipts"]
