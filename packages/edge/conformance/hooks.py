"""What schemathesis cannot know: a handle that this edge gave out, what time it is, and that a manifest is text."""

import os
import time

import schemathesis

HANDLE = os.environ["ATTUNE_VISITOR"]

schemathesis.serializer.alias("application/jose", "text/plain")


@schemathesis.hook
def map_body(context, body):
    """
    Most bodies that name a visitor name one that exists, and most events happened just now; the others stay as forged and
    as old as they are.
    """
    if not isinstance(body, dict):
        return body
    changed = dict(body)
    if isinstance(body.get("visitor"), str) and len(body["visitor"]) % 4 != 0:
        changed["visitor"] = HANDLE
    if isinstance(body.get("events"), list):
        changed["events"] = [_now(event) for event in body["events"]]
    return changed


def _now(event):
    if not isinstance(event, dict) or not isinstance(event.get("at"), int | float) or event["at"] == 0:
        return event
    return {**event, "at": int(time.time() * 1_000)}
