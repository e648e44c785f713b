"""What is said where something cannot be taken."""


class Refusal(Exception):
    """One sentence for a person: `where: what, got X, expected Y`."""


def refuse(where: str, what: str, got: object = None, expected: object = None, hint: str = "") -> Refusal:
    """Makes the sentence; the caller raises it."""
    parts = [what]
    if got is not None:
        parts.append(f"got {shown(got)}")
    if expected is not None:
        parts.append(f"expected {shown(expected)}")
    return Refusal(f"{where}: {', '.join(parts)}{f'; {hint}' if hint else ''}")


def shown(value: object) -> str:
    """A value from outside, on one line and no longer than a line."""
    text = "".join(c if c.isprintable() else "?" for c in str(value))
    return text if len(text) <= 120 else f"{text[:117]}..."
