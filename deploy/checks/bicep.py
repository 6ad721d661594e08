"""Bicep sources as syntax trees: {name: text} on standard input, {name: {errors, tree}} on standard output."""

import json
import sys

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

WITH_TEXT = {"number", "boolean", "primitive_type", "string_content", "escape_sequence"}


def main() -> None:
    parser = Parser(Language(tree_sitter_bicep.language()))
    answer = {}
    for name, text in json.load(sys.stdin).items():
        root = parser.parse(text.encode()).root_node
        errors: list[dict[str, object]] = []
        collect_errors(root, errors)
        answer[name] = {"errors": errors, "tree": as_json(root, None)}
    json.dump(answer, sys.stdout)


def collect_errors(node: Node, errors: list[dict[str, object]]) -> None:
    if node.is_error or node.is_missing:
        errors.append({"line": node.start_point[0] + 1, "text": node.text.decode()[:60]})
    elif node.has_error:
        for child in node.children:
            collect_errors(child, errors)


def as_json(node: Node, field: str | None) -> dict[str, object]:
    children = [
        as_json(child, node.field_name_for_child(index))
        for index, child in enumerate(node.children)
        if child.is_named and child.type != "comment"
    ]
    result: dict[str, object] = {"type": node.type, "line": node.start_point[0] + 1, "children": children}
    if field is not None:
        result["field"] = field
    if not children or node.type in WITH_TEXT:
        result["text"] = node.text.decode()
    if node.type == "resource_declaration":
        result["existing"] = any(child.type == "existing" for child in node.children)
    return result


main()
