"""Harnesses of certificates: reading them, answers of responders, revocation lists.

Beside the documented error, a forgery is what is looked for: an answer that counts must be what the authority signed.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from ringback.deployment.certificate_files import CertificateFileError, order_chain
from ringback.net.certificates import read_certificate
from ringback.net.revocation_answers import AnswerError, look_up, named, read_list, read_ocsp
from tests.certificates.authority import DAY, DER, TestAuthority, now, revocation_list

warnings.filterwarnings("ignore", module="ringback|cryptography")  # names of odd lengths, which the fuzzer likes
_ROOT = TestAuthority.authority("Fuzz root", None)
_LEAF = TestAuthority.authority("Fuzz leaf", _ROOT)
_NONCE = b"n" * 32
_NOW = now()
_LIST = revocation_list(_ROOT, [_LEAF.certificate])
_ANSWER = (
    ocsp.OCSPResponseBuilder()
    .add_response(
        _LEAF.certificate, _ROOT.certificate, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, _NOW, _NOW + DAY, None, None
    )
    .responder_id(ocsp.OCSPResponderEncoding.HASH, _ROOT.certificate)
    .add_extension(x509.OCSPNonce(_NONCE), critical=False)
    .sign(_ROOT.key, hashes.SHA256())
    .public_bytes(DER)
)
_SIGNED_ANSWER = ocsp.load_der_ocsp_response(_ANSWER).tbs_response_bytes
_SIGNED_LIST = x509.load_der_x509_crl(_LIST).tbs_certlist_bytes


def _certificates(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        found = read_certificate(data)
        found.facts("cm1.example.com:8443", "cm1.example.com")
        named(found.certificate)
        with contextlib.suppress(CertificateFileError):
            order_chain(found.certificate, [_ROOT.certificate])


def _answers(data: bytes) -> None:
    with contextlib.suppress(AnswerError):
        read_ocsp(data, _LEAF.certificate, _ROOT.certificate, _NONCE, _NOW.timestamp())
        if ocsp.load_der_ocsp_response(data).tbs_response_bytes != _SIGNED_ANSWER:
            raise RuntimeError("an answer counts that nobody signed")


def _lists(data: bytes) -> None:
    with contextlib.suppress(AnswerError):
        found = read_list(data, _ROOT.certificate, _NOW.timestamp())
        if found.tbs_certlist_bytes != _SIGNED_LIST:
            raise RuntimeError("a list counts that nobody signed")
        look_up(found, _LEAF.certificate, _NOW.timestamp())


CERTIFICATES: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "certificates": (_certificates, (_LEAF.der, _ROOT.der)),
    "revocation-answers": (_answers, (_ANSWER,)),
    "revocation-lists": (_lists, (_LIST,)),
}
