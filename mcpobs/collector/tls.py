"""Makes TLS contexts for both protocols from PEM files. Reads them once, at the start, and reports their faults."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal, NoReturn

from mcpobs import safefile
from mcpobs.collector.options import Certificates
from mcpobs.errors import UsageError

KEY = "--tls-key"
PEM_BYTES = 4 << 20  # a bundle of all public authorities is 250 KB


def context_of(files: Certificates, protocol: Literal["http/1.1", "h2"]) -> ssl.SSLContext:
    """Returns the context for one protocol. Raises UsageError for files that are missing, unreadable or mismatched."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    certificate, key = _read(files.certificate, "--tls-cert"), _read(files.key, KEY)
    if b"-----BEGIN CERTIFICATE-----" not in certificate:
        raise UsageError(f"--tls-cert {files.certificate} holds no certificate in PEM", "give the server's chain")
    if b"PRIVATE KEY-----" not in key:
        raise UsageError(f"--tls-key {files.key} holds no private key in PEM", "give the key of the certificate")
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise UsageError(
            f"--tls-cert {files.certificate} and --tls-key {files.key} cannot be used: {reason}",
            "the key must be that of the first certificate in the file",
        ) from None
    if files.client_ca is not None:
        _read(files.client_ca, "--tls-client-ca")
        try:
            context.load_verify_locations(files.client_ca)
        except ssl.SSLError:
            raise UsageError(
                f"--tls-client-ca {files.client_ca} holds no certificate in PEM", "give the authority of the clients"
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _read(file: Path, option: str) -> bytes:
    """Reads a PEM file. Refuses a certificate that everybody can change, or a key that other users can: they decide
    whom we trust."""
    try:
        if option == KEY:
            return safefile.read_secret(file, PEM_BYTES)[0]
        return safefile.read_trusted(file, PEM_BYTES)
    except safefile.ExposedError as error:
        raise UsageError(f"{option} {file} is not used: {error.strerror}", error.remedy) from None
    except OSError as error:
        raise UsageError(
            f"{option} {file} cannot be read: {error.strerror}", "name a PEM file that this user may read"
        ) from None


def _no_password() -> NoReturn:
    """Refuses an encrypted key; OpenSSL would ask for its password on the terminal."""
    raise UsageError("the key of --tls-key is encrypted", "decrypt it, e.g. with `openssl pkey`")
