"""
A certificate authority of one's own and a certificate for the server, where no other is at hand:

    python -m s2afleet.certificates certificates --host fleet.lan --host 192.168.1.10

ca.crt goes to every board (`s2a fleet join --ca ca.crt`), server.crt and server.key stay on the server; ca.key, from which more certificates could be made, belongs on
neither.
"""

import argparse
import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_secret(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    data = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(x509.random_serial_number())
    # A board's clock may be some minutes behind.
    return builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=days))


def _usage(is_authority: bool) -> x509.KeyUsage:
    unused = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=is_authority, crl_sign=is_authority, **unused)


def make(folder: Path, hosts: list[str], days: int) -> None:
    """Writes ca.crt, ca.key, server.crt and server.key; keys for their owner alone. Raises FileExistsError where there are some."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, server = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    issuer = _name("s2a fleet authority")
    _write_secret(folder / "ca.key", authority)
    _write_secret(folder / "server.key", server)
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    ca = (
        _builder(issuer, issuer, authority.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority, hashes.SHA384())
    )
    certificate = (
        _builder(_name(hosts[0]), issuer, server.public_key(), days)
        .add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(authority, hashes.SHA384())
    )
    (folder / "ca.crt").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "server.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A certificate authority and a server's certificate for a fleet.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", action="append", required=True, help="a name or address by which boards reach the server; may be said again")
    parser.add_argument("--days", type=int, default=825)
    values = parser.parse_args()
    try:
        make(values.folder, values.host, values.days)
    except FileExistsError as error:
        parser.error(f"{error.filename} is already there; boards that know its authority would be lost")


if __name__ == "__main__":
    main()
