"""Verifies log books as they lie in a memory or an export, without trusting the program that wrote them.

What is found: any changed bit of an entry, an anchor or a head; an entry put in, taken out, moved or replaced; the
oldest or newest ones missing. In the calibration log that holds against everybody who has not the private key. In the
system and consumer logs, whose entries are not signed, it holds against accidents only: whoever can write the memory
can compute the whole chain and the head anew; only their anchors are signed.

The number of the gateway and its key are vouched for by the certificate that comes with the logs, and that by those
above it. Whoever can make certificates can make others; against that the key, or better the certificate, must be known
from elsewhere.

What cannot be found in a memory alone: that all of it was put back to an older state, or that a consumer's book was
taken away altogether. Against that an earlier export helps: what stands in it must still be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from devices.errors import UsageError
from firmware.logs.chain import START, entry_octets, mark_octets, next_chain, signed_octets
from firmware.logs.stored import RawBook, RawEntry, RawLogs, RawMark
from firmware.security.module import verify

_NAMES: Final = (b"system", b"calibration", b"consumer")
_SIGNED: Final = (b"calibration",)
_GATEWAY: Final = ".SMGW"
"""What follows the number of a gateway in the common name of its certificates (SM-PKI)."""
_ALWAYS: Final = ((b"system", b""), (b"calibration", b""))
"""Books that every gateway has from its first start on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong.

    Attributes:
        book: name of the book, empty: with the whole.
        owner: whose.
        number: of the entry, None: with the book.
        what: in words.
    """

    book: str
    owner: str
    number: int | None
    what: str

    def __str__(self) -> str:
        where = " ".join(one for one in (self.book, self.owner) if one)
        entry = "" if self.number is None else f" entry {self.number}"
        return f"{where}{entry}: {self.what}".removeprefix(": ")


@dataclass(frozen=True)
class BookVerdict:
    """One book as it was found.

    Attributes:
        book, owner: which.
        first, last: numbers of its entries, None when it holds none.
        entries: how many.
        signed: how many of them have a good signature.
        chain: chain value of the last one.
    """

    book: str
    owner: str
    first: int | None
    last: int | None
    entries: int
    signed: int
    chain: bytes


@dataclass(frozen=True)
class Verdict:
    """What became of a verification.

    Attributes:
        books: all that there are.
        findings: what is wrong; none when the logs are sound.
        key: SHA-256 over the public key (SubjectPublicKeyInfo), empty without one.
    """

    books: tuple[BookVerdict, ...]
    findings: tuple[Finding, ...]
    key: str

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "sound": self.sound,
            "key": self.key,
            "books": [
                {
                    "book": one.book,
                    "owner": one.owner,
                    "first": one.first,
                    "last": one.last,
                    "entries": one.entries,
                    "signed": one.signed,
                    "chain": one.chain.hex(),
                }
                for one in self.books
            ],
            "findings": [
                {"book": one.book, "owner": one.owner, "number": one.number, "what": one.what} for one in self.findings
            ],
        }


def verify_logs(
    logs: RawLogs,
    key: ec.EllipticCurvePublicKey | None = None,
    earlier: RawLogs | None = None,
    certificate: x509.Certificate | None = None,
) -> Verdict:
    """Verify all books.

    Args:
        logs: what was found.
        key: public key of the gateway from elsewhere; None: the one that came with the logs is believed.
        earlier: an export made before; its entries must still be there.
        certificate: in place of `key`, the gateway's certificate from elsewhere, which also says its number.

    Raises:
        UsageError: a certificate that is for no key on an elliptic curve.
    """
    known = key if certificate is None else _key_of(certificate)
    if certificate is not None and known is None:
        raise UsageError("the key of the certificate is on no elliptic curve that is known")
    trusted = known or logs.key
    findings = [Finding("", "", None, what) for what in (*logs.trouble, *_vouched(logs, trusted))]
    if certificate is not None and (given := _name_of(certificate)) != f"{logs.device}{_GATEWAY}":
        findings.append(Finding("", "", None, f"the logs are of {logs.device!r}, the given certificate of {given!r}"))
    if trusted is None:
        findings.append(Finding("", "", None, "there is no public key, no signature can be verified"))
    verdicts = []
    for book in logs.books.values():
        found = _Book(book, trusted)
        findings += found.findings()
        verdicts.append(found.verdict())
    for name, owner in _ALWAYS:
        if (name, owner) not in logs.books:
            findings.append(Finding(name.decode(), "", None, "the book is missing"))
    if earlier is not None:
        findings += _compared(logs, earlier)
    return Verdict(tuple(verdicts), tuple(findings), "" if trusted is None else fingerprint(trusted))


def _vouched(logs: RawLogs, trusted: ec.EllipticCurvePublicKey | None) -> Iterator[str]:
    """What is wrong with that which came with the books: key, certificates, number of the gateway."""
    if trusted is not None and (logs.key is None or fingerprint(logs.key) != fingerprint(trusted)):
        yield "the key that came with the logs is not the given one"
    if not logs.certificates:
        yield "no certificate vouches for the number of the gateway"
        return
    own = logs.certificates[0]
    key = _key_of(own)
    if logs.key is not None and (key is None or fingerprint(key) != fingerprint(logs.key)):
        yield "the certificate that came with the logs is for another key"
    if (name := _name_of(own)) != f"{logs.device}{_GATEWAY}":
        yield f"the number of the gateway is {logs.device!r}, its certificate says {name!r}"
    for below, above in zip(logs.certificates, (*logs.certificates[1:], logs.certificates[-1]), strict=True):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            yield f"the certificate of {_name_of(below)!r} is not signed by the next above it"


def _key_of(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None


def _name_of(certificate: x509.Certificate) -> str:
    """The common name, empty when it has not exactly one."""
    try:
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except ValueError:
        return ""
    return str(names[0].value) if len(names) == 1 else ""


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 over the key's SubjectPublicKeyInfo."""
    whole = Hash(SHA256())
    whole.update(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return whole.finalize().hex()


class _Book:
    """Walks over one book; after a mistake it goes on with what is stored, so that one mistake is told once."""

    def __init__(self, book: RawBook, key: ec.EllipticCurvePublicKey | None) -> None:
        self._book = book
        self._key = key
        self._name, self._owner = _text(book.book), _text(book.owner)
        self._signed = 0

    def findings(self) -> list[Finding]:
        return [Finding(self._name, self._owner, number, what) for number, what in self._walk()]

    def verdict(self) -> BookVerdict:
        entries = self._book.entries
        first, last = (entries[0].number, entries[-1].number) if entries else (None, None)
        chain = entries[-1].chain if entries else START
        return BookVerdict(self._name, self._owner, first, last, len(entries), self._signed, chain)

    def _walk(self) -> Iterator[tuple[int | None, str]]:
        book = self._book
        if book.book not in _NAMES:
            yield None, "there is no book of that name"
        if (book.book == b"consumer") != bool(book.owner):
            yield None, "only consumers own books, each his own"
        yield from book.malformed
        anchor = book.anchor
        if anchor is not None and not self._good(_mark(self._book, b"anchor", anchor), anchor.signature):
            yield anchor.number, "the anchor behind which the book begins is not signed by this gateway"
        before = RawMark(0, START, b"", b"") if anchor is None else anchor
        number, chain, signature = before.number, before.chain, before.entry_signature
        for entry in book.entries:
            number += 1
            if entry.number != number:
                yield entry.number, f"entry {number} is wanted here"
                number = entry.number
            octets = _octets(book, entry)
            if next_chain(chain, signature, octets) != entry.chain:
                yield number, "it does not fit its chain value"
            if (wrong := self._signature(entry, octets)) is not None:
                yield number, wrong
            chain, signature = entry.chain, entry.signature
        yield from self._ends(number, chain, signature)

    def _signature(self, entry: RawEntry, octets: bytes) -> str | None:
        if self._book.book not in _SIGNED:
            return "it has a signature, which entries of this book have not" if entry.signature else None
        if not self._good(signed_octets(octets, entry.chain), entry.signature):
            return "its signature is not this gateway's"
        self._signed += 1
        return None

    def _ends(self, number: int, chain: bytes, signature: bytes) -> Iterator[tuple[int | None, str]]:
        head = self._book.head
        if head is None:
            yield None, "the head is missing"
            return
        if head.number > number:
            yield number, f"the entries behind it, up to {head.number}, are missing"
        elif (head.number, head.chain, head.entry_signature) != (number, chain, signature):
            yield head.number, "the head does not fit the last entry"
        if self._book.book in _SIGNED:
            if not self._good(_mark(self._book, b"head", head), head.signature):
                yield head.number, "the head is not signed by this gateway"
        elif head.signature:
            yield head.number, "the head has a signature, which that of this book has not"

    def _good(self, octets: bytes, signature: bytes) -> bool:
        return self._key is not None and verify(self._key, octets, signature)


def _octets(book: RawBook, entry: RawEntry) -> bytes:
    return entry_octets(
        book.book, book.owner, entry.number, entry.time_us, entry.dated, entry.event, entry.vendor_id, entry.sub_id,
        entry.level, entry.outcome, entry.parameters, entry.text,
    )  # fmt: skip


def _mark(book: RawBook, kind: bytes, mark: RawMark) -> bytes:
    return mark_octets(kind, book.book, book.owner, mark.number, mark.chain, mark.entry_signature)


def _compared(logs: RawLogs, earlier: RawLogs) -> Iterable[Finding]:
    """What an earlier export has and these logs have not, or have otherwise."""
    for what in earlier.trouble:
        yield Finding("", "", None, f"the earlier export: {what}")
    if earlier.device != logs.device:
        yield Finding("", "", None, f"the earlier export is of {earlier.device!r}, not of {logs.device!r}")
    for key, old in earlier.books.items():
        yield from (
            Finding(_text(key[0]), _text(key[1]), at, f"the earlier export: {what}") for at, what in old.malformed
        )
        name, owner = _text(key[0]), _text(key[1])
        new = logs.books.get(key)
        if new is None:
            yield Finding(name, owner, None, "the book of the earlier export is gone")
            continue
        first = 0 if new.anchor is None else new.anchor.number
        there = {entry.number: entry.chain for entry in new.entries}
        for entry in old.entries:
            if entry.number > first and there.get(entry.number) != entry.chain:
                yield Finding(name, owner, entry.number, "it is gone or another one than in the earlier export")
        at_old_end = new.anchor is not None and old.head is not None and new.anchor.number == old.head.number
        if at_old_end and new.anchor.chain != old.head.chain:  # type: ignore[union-attr]
            yield Finding(name, owner, first, "the anchor is another one than the earlier export's head")


def _text(octets: bytes) -> str:
    return octets.decode(errors="backslashreplace")
