"""Certificate chains made with the openssl command, so that what the gateway verifies is not its own work.

root -> Sub-CA -> end entities, names as in the SM-PKI (wan-core 5.1), validity fixed
"""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

_CONFIG = """
[ca]
default_ca = here
[here]
dir = .
new_certs_dir = .
database = index.txt
rand_serial = yes
default_md = {md}
policy = anything
unique_subject = no
copy_extensions = none
[anything]
commonName = supplied
organizationName = optional
countryName = optional
serialNumber = optional
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[last_authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
[not_signing]
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature
[tls]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, serverAuth, clientAuth
[signature]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
[encryption]
basicConstraints = critical, CA:FALSE
keyUsage = critical, keyAgreement
[plain]
basicConstraints = critical, CA:FALSE
"""
BEGIN, END = "20250101000000Z", "20350101000000Z"
CURVE = "brainpoolP256r1"


class Pki:
    """Everything lies in one folder; files are named as the certificates.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ca.cnf").write_text(_CONFIG.format(md="sha256"))
        (folder / "index.txt").touch()

    def openssl(self, *arguments: str) -> None:
        """Run the command. Raises CalledProcessError."""
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=60)

    def key(self, name: str, curve: str = CURVE) -> None:
        """A key; ``rsa`` is no curve, but a kind of key all the same."""
        if curve == "rsa":
            self.openssl("genrsa", "-out", f"{name}.key", "2048")
        else:
            self.openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", f"{name}.key")

    def make(
        self,
        name: str,
        common_name: str,
        issuer: str | None,
        extensions: str,
        *,
        curve: str = CURVE,
        key: str | None = None,
        begin: str = BEGIN,
        end: str = END,
        number: int = 1,
    ) -> bytes:
        """A certificate; `issuer` None: signed by itself; `key`: use the key of another one. DER."""
        if key is None:
            self.key(name, curve)
        else:
            (self.folder / f"{name}.key").write_bytes((self.folder / f"{key}.key").read_bytes())
        subject = f"/CN={common_name}/O=SM-Test-PKI-DE/C=DE/serialNumber={number}"
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
        signer = ["-selfsign", "-keyfile", f"{name}.key"]
        if issuer is not None:
            signer = ["-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key"]
        self.openssl(
            "ca", "-batch", "-notext", "-config", "ca.cnf", *signer, "-in", f"{name}.csr", "-out", f"{name}.pem",
            "-startdate", begin, "-enddate", end, "-extensions", extensions,
        )  # fmt: skip
        self.openssl("x509", "-in", f"{name}.pem", "-outform", "DER", "-out", f"{name}.der")
        return self.der(name)

    def der(self, name: str) -> bytes:
        """A certificate that was made."""
        return (self.folder / f"{name}.der").read_bytes()

    def hex(self, name: str) -> str:
        """The same in hexadecimal digits."""
        return self.der(name).hex()

    def fingerprint(self, name: str) -> str:
        """SHA-256 of a certificate."""
        return sha256(self.der(name)).hexdigest()

    def triple(self, name: str, common_name: str, issuer: str = "sub") -> None:
        """TLS, encryption and signature certificate of one owner: ``name-tls`` and so on."""
        for use in ("tls", "encryption", "signature"):
            self.make(f"{name}-{use}", common_name, issuer, use)


def standard_pki(folder: Path) -> Pki:
    """Root and Sub-CA, an administrator, another one, two market participants, a time server, a device."""
    pki = Pki(folder)
    pki.make("root", "SM-Test-Root.CA", None, "authority")
    pki.make("sub", "Test-Sub.CA", "root", "last_authority")
    pki.triple("gwa", "Test-GWA")
    pki.triple("emt", "Test-EMT")
    pki.make("ntp-tls", "Time-GWA", "sub", "tls")
    pki.make("cls", "Box-1", None, "plain")
    return pki
