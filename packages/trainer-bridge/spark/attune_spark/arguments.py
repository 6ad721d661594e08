"""Command lines and the lines jobs print for the bridge that started them."""

from __future__ import annotations

import json
import sys

PREFIX = "attune: "


class JobError(Exception):
    """A job cannot go on. `code` is for machines; the sentence says what, which, expected and received."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def report(**fields: object) -> None:
    """One line of progress on standard output, which the bridge reads in the job's log."""
    print(PREFIX + json.dumps(fields, allow_nan=False), flush=True)


def fail(error: JobError) -> int:
    report(error={"code": error.code, "message": str(error)})
    print(error, file=sys.stderr, flush=True)
    return 1
