"""What an adapter says about itself, and whether two of them go together. It is the text that adapter_model.safetensors carries as `s2a`."""

from dataclasses import dataclass
from typing import Any

from . import jsontext
from .refusal import refuse, shown

#: Differ among the nodes of one fleet without harm.
FREE = ("labels", "createdBy")
KNOWN = ("version", "method", "base", "precision", "arithmetic", "task", "head", "labels", "preprocessing", "createdBy")
#: The rates that a run has measured: an adapter's, but no part of the network.
RATES = "s2a.rates"


@dataclass(frozen=True)
class Identity:
    """A checked identity record."""

    fields: dict[str, Any]

    @property
    def labels(self) -> list[str]:
        return self.fields["labels"]

    @property
    def head(self) -> list[str]:
        """Names of the tensors whose first axis counts the labels."""
        return self.fields["head"]

    @property
    def method(self) -> str:
        return self.fields["method"]

    @property
    def parts(self) -> list[str]:
        """What the method is made of, without its options: bias, prompt, depth …"""
        return [part.split(":")[0] for part in self.method.split("+")]

    @property
    def is_classification(self) -> bool:
        return "task" not in self.fields or self.fields["task"].get("name") == "classify"

    def text(self) -> str:
        return jsontext.write(self.fields)

    def with_labels(self, labels: list[str]) -> "Identity":
        return Identity({**self.fields, "labels": list(labels)})


def _texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(type(v) is str and v for v in value) and len(set(value)) == len(value)


def read_identity(where: str, text: str) -> Identity:
    """Checks a record from outside. Raises Refusal."""
    fields = jsontext.parse(f"{where}, info", text)
    unknown = next((key for key in fields if key not in KNOWN), None)
    if unknown is not None:
        raise refuse(where, "info has a field that is not known", unknown, hint="the board's s2a is newer than this server")
    if fields.get("version") != "1":
        raise refuse(where, "info is of another version", fields.get("version"), 1)
    base = fields.get("base")
    is_based = isinstance(base, dict) and type(base.get("digest")) is str and type(base.get("type")) is str
    named = [
        ("method", type(fields.get("method")) is str and fields["method"] != ""),
        ("base", is_based),
        ("precision", type(fields.get("precision")) is str),
        ("task", "task" not in fields or isinstance(fields["task"], dict)),
        ("head", _texts(fields.get("head"))),
        ("labels", _texts(fields.get("labels"))),
        ("preprocessing", isinstance(fields.get("preprocessing"), dict)),
    ]
    for name, is_good in named:
        if not is_good:
            raise refuse(where, f"info has a bad {name}", fields.get(name))
    return Identity(fields)


def check_same(where: str, got: Identity, expected: Identity) -> None:
    """Refuses another base, method, arithmetic, task, precision, head or preprocessing."""
    for key in KNOWN:
        if key in FREE:
            continue
        a, b = got.fields.get(key), expected.fields.get(key)
        if a == b:
            continue
        if key == "base" and a.get("digest") != b.get("digest"):
            raise refuse(where, "its adapter belongs to other base weights", a["digest"][:12], b["digest"][:12])
        texts = [("none" if v is None else shown(jsontext.write(v))) for v in (a, b)]
        raise refuse(where, f"its adapter is of another {key}", *texts)
