"""TLS contexts: version 1.2 or better, verification always on, narrowed to a mode where one is asked for.

A server's context notices renewed files by itself: see ``WatchedContext``. A client's context looks the system's
authorities up when it needs one, instead of reading all of them at its making.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography import x509

from ringback.net.tls_checks import CertificateRefusedError, Check, CheckedContext, Handshake
from ringback.rules.tls_modes import USUAL, TlsMode, connection_weakness

_BUNDLE = "ca-certificates.crt"  # what update-ca-certificates(8) makes of the same folder
_LOOK_EVERY = 2.0  # seconds between two looks at a certificate's files
_WARN_DAYS = 30
_DAY = 86400.0
_FIPS_FLAG = Path("/proc/sys/crypto/fips_enabled")
# What Python itself chooses where nobody built it with "whatever OpenSSL has", as Debian does: no CBC with SHA-1.
_SERVED = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """A server's certificate chain and key, as PEM files, and the mode in which it is to be used."""

    certificate: Path
    key: Path
    mode: TlsMode = USUAL


class WatchedContext(CheckedContext):
    """A context that takes up renewed files without a restart: the certificate that it shows, and the authorities that
    it trusts.

    When a connection begins and the last look is two seconds old, the times of the files are looked at; new ones are
    loaded for this connection and all later ones. Files that do not fit each other (written one after the other, or
    wrongly) leave the old certificate in use and are told once in the log. An authority that is no longer in its file
    is trusted until the next start.

    OpenSSL keeps a certificate of each kind of key beside those of other kinds, and nothing takes one out. So a key of
    another kind goes into a copy of the context, which connections are made with from then on.
    """

    _identity: Identity | None = None
    _ca_file: Path | None = None
    _kind = ""
    _alpn: tuple[str, ...] = ()
    _successor: CheckedContext | None = None
    _system = False
    _seen: tuple[int, ...] = ()
    _seen_authorities: tuple[int, ...] = ()
    _looked = 0.0
    _warned = 0.0

    def use(self, identity: Identity) -> None:
        """Load an identity and watch its files. Raises ssl.SSLError or OSError where they do not fit."""
        self._seen = _stamp(identity.certificate, identity.key)
        self.load_cert_chain(identity.certificate, identity.key)
        self._kind = _kind_of(identity)
        self._identity = identity
        self._looked = time.monotonic()
        self._warn(identity)

    def trust(self, ca_file: Path) -> None:
        """Trust the authorities of a file and watch it. Raises ssl.SSLError or OSError where it can't be read."""
        self._seen_authorities = _stamp(ca_file)
        self.load_verify_locations(cafile=ca_file)
        self._ca_file = ca_file
        self._looked = time.monotonic()

    def trust_system(self) -> None:
        """Trust the system's authorities."""
        load_authorities(self, None)
        self._system = True

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """As the base class does."""
        self._alpn = tuple(alpn_protocols)
        super().set_alpn_protocols(self._alpn)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As the base class does, after a look at the files."""
        current = self.current()
        if current is not self:
            return current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def current(self, *, at_once: bool = False) -> CheckedContext:
        """What a connection that begins now is to be made with, after a look at the files where the last one is old, or
        ``at_once``; for connections whose context is chosen during the handshake, by the name that the client asks
        for."""
        now = time.monotonic()
        if at_once or now - self._looked >= _LOOK_EVERY:
            self._looked = now
            if self._identity is not None:
                self._look(self._identity)
            if self._ca_file is not None:
                self._look_at_authorities(self._ca_file)
        return self if self._successor is None else self._successor

    @property
    def identity(self) -> Identity | None:
        """Whose files are watched."""
        return self._identity

    def _look(self, identity: Identity) -> None:
        try:
            stamp = _stamp(identity.certificate, identity.key)
            if stamp == self._seen:
                if time.monotonic() - self._warned >= _DAY:
                    self._warn(identity)
                return
            self._seen = stamp
            # tried elsewhere first: a context whose key does not fit its certificate would serve nobody
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(identity.certificate, identity.key)
            kind = _kind_of(identity)
            if kind == self._kind:
                (self._successor or self).load_cert_chain(identity.certificate, identity.key)
            else:
                self._successor, self._kind = self._copy(identity), kind
        except (OSError, ValueError, ssl.SSLError) as error:
            _log.warning("renewed certificate not usable", file=identity.certificate.name, error=str(error))
            return
        _log.info("renewed certificate taken up", file=identity.certificate.name)
        self._warn(identity)

    def _copy(self, identity: Identity) -> CheckedContext:
        copy = CheckedContext(self.protocol)
        narrow(copy, identity.mode)
        copy.check = self.check
        copy.options, copy.verify_flags = self.options, self.verify_flags
        copy.check_hostname = False
        copy.verify_mode = self.verify_mode
        copy.check_hostname = self.check_hostname
        if self.protocol is ssl.PROTOCOL_TLS_SERVER:
            copy.sni_callback = self.sni_callback
        if self._alpn:
            copy.set_alpn_protocols(self._alpn)
        if self._system:
            load_authorities(copy, None)
        if known := self.get_ca_certs(binary_form=True):
            copy.load_verify_locations(cadata=b"".join(known))
        copy.load_cert_chain(identity.certificate, identity.key)
        return copy

    def _look_at_authorities(self, ca_file: Path) -> None:
        try:
            stamp = _stamp(ca_file)
            if stamp == self._seen_authorities:
                return
            self._seen_authorities = stamp
            self.load_verify_locations(cafile=ca_file)
            if self._successor is not None:
                self._successor.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            _log.warning("changed authorities not readable", file=ca_file.name, error=str(error))
            return
        _log.info("changed authorities taken up", file=ca_file.name)

    def _warn(self, identity: Identity) -> None:
        """Log a certificate that ends soon, at the start and once a day."""
        self._warned = time.monotonic()
        try:
            certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
        except (OSError, ValueError) as error:
            _log.warning("certificate not readable", file=identity.certificate.name, error=str(error))
            return
        days = (certificate.not_valid_after_utc.timestamp() - time.time()) / _DAY
        if days < _WARN_DAYS:
            event = "certificate expires soon" if days > 0 else "certificate has expired"
            until = certificate.not_valid_after_utc.isoformat()
            _log.warning(event, file=identity.certificate.name, valid_until=until, days=round(days))


def server_context(
    identity: Identity, *, alpn: tuple[str, ...] = (), client_authorities: Path | None = None
) -> WatchedContext:
    """A context for a server. With ``client_authorities`` clients may show a certificate of one of these.

    Raises ssl.SSLError or OSError where the files do not fit.
    """
    context = WatchedContext(ssl.PROTOCOL_TLS_SERVER)
    narrow(context, identity.mode)
    context.use(identity)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if client_authorities is not None:
        context.trust(client_authorities)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(
    ca_file: Path | None = None, *, mode: TlsMode = USUAL, identity: Identity | None = None
) -> WatchedContext:
    """A context for a client: the system's authorities and, where given, those of a file as well.

    ``identity`` is shown to servers that ask for a certificate. Raises OSError or ssl.SSLError where a file can't be
    read or does not fit.
    """
    context = WatchedContext(ssl.PROTOCOL_TLS_CLIENT)
    narrow(context, mode)
    context.trust_system()
    if ca_file is not None:
        context.trust(ca_file)
    if identity is not None:
        context.use(identity)
    return context


def narrow(context: CheckedContext, mode: TlsMode) -> None:
    """Set versions, cipher suites and group of a mode; what can't be set is looked at after the handshake."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if mode.ciphers:
        context.set_ciphers(":".join(mode.ciphers))
    elif context.protocol is ssl.PROTOCOL_TLS_SERVER:
        context.set_ciphers(_SERVED)
    if mode.group:
        context.set_ecdh_curve(mode.group)
    if mode.allowed:
        context.check = _in_mode(mode)


def load_authorities(context: ssl.SSLContext, ca_file: Path | None) -> None:
    """Let a context trust the system's authorities (SSL_CERT_FILE and SSL_CERT_DIR count) and those of a file.

    Where the system keeps them in a folder of hashed names, they are looked up there when a chain needs one: reading
    them all takes some 30 ms. Raises OSError or ssl.SSLError where ``ca_file`` can't be read.
    """
    paths = ssl.get_default_verify_paths()
    if paths.capath and _is_hashed(paths.capath):
        context.load_verify_locations(capath=paths.capath)
        chosen = os.environ.get(paths.openssl_cafile_env)
        if chosen and Path(chosen) != Path(paths.capath) / _BUNDLE:
            context.load_verify_locations(cafile=chosen)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)


def platform_fips() -> bool:
    """Whether the operating system runs in FIPS mode (Linux; elsewhere nobody tells, and it counts as off)."""
    try:
        return _FIPS_FLAG.read_text(encoding="ascii").strip() == "1"
    except (OSError, UnicodeDecodeError):
        return False


def _is_hashed(folder: str) -> bool:
    """Whether OpenSSL finds certificates in a folder: their names are hashes of subjects (``4f316efb.0``)."""
    try:
        with os.scandir(folder) as entries:
            return any(len(entry.name) == 10 and entry.name.endswith(".0") for entry in entries)
    except OSError:
        return False


def _in_mode(mode: TlsMode) -> Check:
    def check(handshake: Handshake) -> None:
        if (weakness := connection_weakness(handshake.version, handshake.cipher, mode)) is not None:
            raise CertificateRefusedError(weakness.id, (weakness,), handshake)

    return check


def _kind_of(identity: Identity) -> str:
    """The kind of key of a certificate. Raises OSError, ValueError."""
    return type(x509.load_pem_x509_certificate(identity.certificate.read_bytes()).public_key()).__name__


def _stamp(*files: Path) -> tuple[int, ...]:
    found = [path.stat() for path in files]
    return tuple(value for each in found for value in (each.st_mtime_ns, each.st_size, each.st_ino))
