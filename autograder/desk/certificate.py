"""The grading page's own certificate: made by openssl, kept for its owner alone in the folder of results."""

from __future__ import annotations

import hashlib
import re
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autograder.desk.address import AddressError
from autograder.files import SECRET, write_atomically

FILE = "desk.pem"  # key and certificate
DAYS = 180
SPARE = timedelta(days=7)  # a certificate that ends sooner is made anew
_HEAD = re.compile(r"names: (?P<names>\S+)\nuntil: (?P<until>\S+)\n")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.S)
CONFIG = """[req]
distinguished_name = who
x509_extensions = use
prompt = no
[who]
CN = attention-homeworks desk
[use]
subjectAltName = {names}
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
"""


def certificate(output: Path, hosts: Sequence[str]) -> Path:
    """The file with key and certificate for these names; kept as long as it fits, so that its fingerprint is.

    Raises:
        AddressError: there is no openssl, or it failed.
    """
    path = output / FILE
    names = ",".join(f"{'IP' if _is_ip(host) else 'DNS'}:{host}" for host in dict.fromkeys(hosts))
    if path.is_symlink() or not _fits(path, names):
        until = datetime.now(UTC) + timedelta(days=DAYS)
        head = f"names: {names}\nuntil: {until.isoformat(timespec='seconds')}\n"
        write_atomically(path, head.encode() + _made(names), SECRET)
    return path


def fingerprint(path: Path) -> str:
    """The certificate's SHA-256 fingerprint, as browsers show it."""
    found = _CERTIFICATE.search(path.read_text(encoding="ascii"))
    assert found is not None
    digits = hashlib.sha256(ssl.PEM_cert_to_DER_cert(found[0])).hexdigest().upper()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def _is_ip(host: str) -> bool:
    return ":" in host or re.fullmatch(r"[\d.]+", host) is not None


def _fits(path: Path, names: str) -> bool:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return False
    head = _HEAD.match(text)
    if head is None or head["names"] != names or _CERTIFICATE.search(text) is None:
        return False
    path.chmod(SECRET)
    return datetime.fromisoformat(head["until"]) - SPARE > datetime.now(UTC)


def _made(names: str) -> bytes:
    command = shutil.which("openssl")
    if command is None:
        raise AddressError(
            "The certificate is made by the command openssl, which is missing here. Install it, or put"
            " manual grading behind a proxy (--behind-proxy)."
        )
    with tempfile.TemporaryDirectory(prefix="desk-") as folder:  # for its owner alone
        config, key, made = (Path(folder, name) for name in ("config", "key", "certificate"))
        config.write_text(CONFIG.format(names=names), encoding="ascii")
        asked = [command, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        asked += ["-nodes", "-sha256", "-days", str(DAYS), "-config", str(config)]
        asked += ["-keyout", str(key), "-out", str(made)]
        try:
            subprocess.run(asked, check=True, capture_output=True, timeout=60)  # noqa: S603  # names are checked
            return key.read_bytes() + made.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            told = getattr(error, "stderr", b"") or b""
            words = told.decode(errors="replace").strip().split("\n")[-1]
            raise AddressError(f"openssl made no certificate: {words or error}") from None
