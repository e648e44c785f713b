"""JSON as s2a writes it: keys sorted, numbers as they stood, so that a text that is read and written again keeps its bytes."""

import json
from typing import Any

from .refusal import refuse


class Number(str):
    """A number by its own digits. Python and JavaScript write some floats differently; these are never rewritten."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def parse(where: str, text: str) -> dict[str, Any]:
    """An object from a text that is not trusted. Raises Refusal."""
    if len(text) > 1 << 24:
        raise refuse(where, "the text is too long", f"{len(text)} characters", f"at most {1 << 24}")
    try:
        value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_no_constant, object_pairs_hook=_pairs)
    except (ValueError, RecursionError) as error:
        raise refuse(where, "is not valid JSON", error) from None
    if not isinstance(value, dict):
        raise refuse(where, "is not a JSON object")
    try:
        write(value).encode()
    except (UnicodeEncodeError, RecursionError):
        raise refuse(where, "has text that is no Unicode, or is nested too deeply") from None
    return value


def write(value: Any, indent: int = 0, depth: int = 0) -> str:
    """The text of a value; `indent` 0 is one line without spaces."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return json.dumps(value, ensure_ascii=False)
    is_list = isinstance(value, list)
    colon = ": " if indent else ":"
    inner = (
        [write(v, indent, depth + 1) for v in value]
        if is_list
        else [f"{json.dumps(k, ensure_ascii=False)}{colon}{write(v, indent, depth + 1)}" for k, v in sorted(value.items())]
    )
    first, last = ("[", "]") if is_list else ("{", "}")
    if not inner or not indent:
        return f"{first}{','.join(inner)}{last}"
    line = "\n" + " " * (indent * (depth + 1))
    return f"{first}{line}{(',' + line).join(inner)}\n{' ' * (indent * depth)}{last}"
