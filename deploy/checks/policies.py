"""API Management policies as element trees: {name: xml} on standard input; a text that is not well-formed gives its error."""

import json
import sys
from xml.etree import ElementTree


def as_json(element: ElementTree.Element) -> dict[str, object]:
    return {
        "name": element.tag,
        "attributes": element.attrib,
        "text": (element.text or "").strip(),
        "children": [as_json(child) for child in element],
    }


answer = {}
for name, text in json.load(sys.stdin).items():
    try:
        answer[name] = {"tree": as_json(ElementTree.fromstring(text))}
    except ElementTree.ParseError as error:
        answer[name] = {"error": str(error)}
json.dump(answer, sys.stdout)
