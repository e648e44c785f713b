"""Golden data for test/fleet: a Flower message with everything in it, as flwr itself takes it apart.

    python -m venv venv && venv/bin/pip install 'flwr==1.42.*' && venv/bin/python tools/golden/fleet.py

Writes test/golden/fleet.json: the message's metadata, its objects (base64) by name, their tree, the announcement, a pull's answer; and
test/golden/fleet-tls.json: an authority's certificate, another's, and a server's for 127.0.0.1 with its key, all for tests alone.
"""

import base64
import datetime
import ipaddress
import json
import pathlib

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, MetricRecord, RecordDict
from flwr.app.message.message import make_message, remove_content_from_message
from flwr.app.metadata import Metadata
from flwr.common.serde import message_to_proto
from flwr.proto.fleet_pb2 import PullMessagesResponse
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree

records = RecordDict(
    {
        "arrays": ArrayRecord(
            {
                "head.weight": Array(np.arange(6, dtype=np.float32).reshape(2, 3) / 8),
                "größe": Array(np.array([0.1, -2.5], dtype=np.float64)),
                "twice": Array(np.arange(6, dtype=np.float32).reshape(2, 3) / 8),
            }
        ),
        "metrics": MetricRecord({"num-examples": 20, "loss": 0.25, "label-counts": [3, 0, -1, 2**40], "rates": [0.5, 0.125]}),
        "config": ConfigRecord(
            {"format": 1, "name": "böard", "own": True, "labels": ["cat", "dog"], "blob": b"\x00\xff", "least": -(2**63), "rate": 1e-3}
        ),
    }
)
metadata = Metadata(
    run_id=2**64 - 5,
    message_id="",
    src_node_id=1,
    dst_node_id=2**63 + 11,
    reply_to_message_id="ab" * 32,
    group_id="7",
    created_at=1700000000.25,
    ttl=3600.5,
    message_type="train",
    src_task_id=3,
    dst_task_id=2**63 + 1,
)
message = make_message(metadata=metadata, content=records)
objects = {name: base64.b64encode(value.deflate()).decode() for name, value in get_all_nested_objects(message).items()}
tree = get_object_tree(message)
metadata.__dict__["_message_id"] = message.object_id
announced = message_to_proto(remove_content_from_message(message))
error = make_message(metadata=metadata, error=Error(code=0, reason="no pictures left"))
b64 = lambda proto: base64.b64encode(proto.SerializeToString(deterministic=True)).decode()
out = pathlib.Path(__file__).parents[2] / "test" / "golden" / "fleet.json"
out.write_text(
    json.dumps(
        {
            "id": message.object_id,
            "objects": objects,
            "tree": b64(tree),
            "announced": b64(announced),
            "error": base64.b64encode(error.deflate()).decode(),
            "pull": b64(PullMessagesResponse(messages_list=[announced], message_object_trees=[tree])),
        },
        indent=1,
    )
    + "\n"
)
print(out, out.stat().st_size)


def certificate(name, key, issuer, issuer_key, *, is_authority):
    """Valid for a hundred years: tests have no birthday."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2024, 1, 1))
        .not_valid_after(datetime.datetime(2124, 1, 1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not is_authority:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(made):
    if isinstance(made, x509.Certificate):
        return made.public_bytes(serialization.Encoding.PEM).decode()
    return made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
authority = certificate("test authority", keys[0], None, keys[0], is_authority=True)
other = certificate("another authority", keys[1], None, keys[1], is_authority=True)
server = certificate("localhost", keys[2], authority.subject, keys[0], is_authority=False)
tls = out.with_name("fleet-tls.json")
tls.write_text(json.dumps({"ca": pem(authority), "other": pem(other), "cert": pem(server), "key": pem(keys[2])}, indent=1) + "\n")
print(tls, tls.stat().st_size)
