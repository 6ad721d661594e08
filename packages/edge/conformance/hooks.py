"""What schemathesis cannot know: a handle that this edge gave out, and that a manifest is text."""

import os

import schemathesis

HANDLE = os.environ["ATTUNE_VISITOR"]

schemathesis.serializer.alias("application/jose", "text/plain")


@schemathesis.hook
def map_body(context, body):
    """Most bodies that name a visitor name one that exists; the others stay as forged as they are."""
    if isinstance(body, dict) and isinstance(body.get("visitor"), str) and len(body["visitor"]) % 4 != 0:
        return {**body, "visitor": HANDLE}
    return body
