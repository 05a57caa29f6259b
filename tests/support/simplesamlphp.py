"""SimpleSAMLphp (Debian) as an identity provider, served by PHP itself."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from ringback.net.single_sign_on.keys import SigningKey
from ringback.protocols.saml.metadata import ServiceProvider
from tests.support.foreign import free_ports, running, wait_for_port

WWW = Path("/usr/share/simplesamlphp/www")
_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


@dataclass(frozen=True, slots=True)
class SimpleSamlPhp:
    """A running provider: its base address, and that of its metadata."""

    base: str
    metadata: str
    log: Path


@contextlib.contextmanager
def running_simplesamlphp(folder: Path, service: ServiceProvider, people: Mapping[str, str]) -> Iterator[SimpleSamlPhp]:
    """An identity provider that knows one service and these people (user name to password)."""
    (port,) = free_ports(1)
    base = f"http://localhost:{port}/"
    for name in ("cert", "metadata", "log", "data", "tmp", "sessions"):
        (folder / name).mkdir(parents=True)
    key = SigningKey.open(folder / "cert", "ssp")
    private = key.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "cert" / "idp.pem").write_bytes(private)
    (folder / "cert" / "idp.crt").write_text(key.certificate)
    for name, text in _files(folder, base, service, people).items():
        (folder / name).write_text(text)
    environment = {"SIMPLESAMLPHP_CONFIG_DIR": str(folder), "PHP_CLI_SERVER_WORKERS": "2"}
    command = ("php", "-d", "session.save_path=" + str(folder / "sessions"), "-S", f"127.0.0.1:{port}", "-t", str(WWW))
    with running(command, folder=folder, environment=environment) as process:
        wait_for_port("127.0.0.1", port, process)
        yield SimpleSamlPhp(base, f"{base}saml2/idp/metadata.php", folder / "output.txt")


def _files(folder: Path, base: str, service: ServiceProvider, people: Mapping[str, str]) -> dict[str, str]:
    users = "".join(
        f"'{user}:{password}' => ['uid' => ['{user}'], 'mail' => ['{user}@example.com']],\n"
        for user, password in people.items()
    )
    certificate = "".join(service.certificates[0].splitlines()[1:-1]) if service.certificates else ""
    signed = f"'certData' => '{certificate}', 'validate.authnrequest' => true," if certificate else ""
    return {
        "config.php": f"""<?php
$config = [
    'baseurlpath' => '{base}',
    'certdir' => '{folder}/cert/', 'loggingdir' => '{folder}/log/', 'datadir' => '{folder}/data/',
    'tempdir' => '{folder}/tmp', 'metadatadir' => '{folder}/metadata',
    'secretsalt' => '{secrets.token_hex(16)}', 'auth.adminpassword' => '{secrets.token_hex(16)}',
    'technicalcontact_name' => 'Nobody', 'technicalcontact_email' => 'nobody@example.com', 'timezone' => 'UTC',
    'logging.level' => 7, 'logging.handler' => 'errorlog', 'errors.reporting' => true, 'showerrors' => true,
    'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'session.cookie.secure' => false, 'session.phpsession.savepath' => '{folder}/sessions',
    'session.phpsession.httponly' => true, 'store.type' => 'phpsession', 'language.default' => 'en',
    'metadata.sources' => [['type' => 'flatfile']], 'admin.checkforupdates' => false,
];
""",
        "authsources.php": f"<?php\n$config = ['people' => ['exampleauth:UserPass',\n{users}]];\n",
        "metadata/saml20-idp-hosted.php": f"""<?php
$metadata['{base}saml2/idp/metadata.php'] = [
    'host' => '__DEFAULT__', 'privatekey' => 'idp.pem', 'certificate' => 'idp.crt', 'auth' => 'people',
    'signature.algorithm' => '{_SHA256}',
];
""",
        "metadata/saml20-sp-remote.php": f"""<?php
$metadata['{service.entity_id}'] = [
    'AssertionConsumerService' => '{service.consumers[0]}', {signed}
];
""",
    }
