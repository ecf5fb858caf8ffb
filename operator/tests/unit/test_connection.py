"""Where the API server is and who we are there, out of a service account or a kubeconfig."""

import base64
import ssl
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from qwen_operator.cluster.connection import Access, find_access
from qwen_operator.errors import Unreachable

# Made for this test; its key was thrown away.
AUTHORITY = """-----BEGIN CERTIFICATE-----
MIIBiTCCAS+gAwIBAgIUKXZGvOUZjLdgpxWLJ6V8r+6nnF8wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdGVzdC1hdXRob3JpdHkwIBcNMjYxMTI0MjEyNDI2WhgPMjEy
NjEwMzEyMTI0MjZaMBkxFzAVBgNVBAMMDnRlc3QtYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAE21M8aJUVZjYUjclABgG+D/XIW57Km9aMS+DEksJW
WV5UbZYoZf6CngGkxdl6091cMBKvfgxZebNM0pEyAXX8SaNTMFEwHQYDVR0OBBYE
FCc87bJsaeNmOP+VHl54CDNwqpiFMB8GA1UdIwQYMBaAFCc87bJsaeNmOP+VHl54
CDNwqpiFMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgbg2Zd8g8
Qswrhc9hWwgW6RfjqHUJu7/o9ZU2yXBREPoCIQCqd8yTWIJuSVYlNTVxqJmnAQp0
z7JMWyihqIdfebv7cg==
-----END CERTIFICATE-----
"""
INSIDE = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}


async def tls_of(access: Access) -> ssl.SSLContext:
    """What its sessions trust."""
    async with access.session(1) as session:
        assert isinstance(session.connector, aiohttp.TCPConnector)
        found = session.connector._ssl
        assert isinstance(found, ssl.SSLContext)
        return found


async def trusted(access: Access) -> list[str]:
    """The authorities that its sessions trust."""
    return [str(each["subject"]) for each in (await tls_of(access)).get_ca_certs()]


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text(AUTHORITY)
    return tmp_path


def kubeconfig(folder: Path, user: dict[str, Any], **cluster: Any) -> dict[str, str]:
    """The environment of a process with a kubeconfig like this."""
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://host:1/", **cluster}}],
        "users": [{"name": "other", "user": {"token": "no"}}, {"name": "u", "user": user}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return {"KUBECONFIG": str(path)}


async def test_a_pod_speaks_as_its_service_account_and_trusts_only_its_authority(
    account: Path,
) -> None:
    access = await find_access(INSIDE, account)
    assert access.server == "https://10.0.0.1:6443"
    assert await access.headers() == {"Authorization": "Bearer first"}
    (authority,) = await trusted(access)
    assert "test-authority" in authority


async def test_an_address_of_ip_version_6_stands_in_brackets(account: Path) -> None:
    inside = {**INSIDE, "KUBERNETES_SERVICE_HOST": "fd00::1"}
    assert (await find_access(inside, account)).server == "https://[fd00::1]:6443"


async def test_a_rotated_token_is_read_within_a_minute(account: Path) -> None:
    access = await find_access(INSIDE, account)
    (account / "token").write_text("second")
    assert await access.headers() == {"Authorization": "Bearer first"}, "not a file a request"
    loader = access.configuration.refresh_api_key_hook.__closure__
    (cell,) = [each for each in loader if hasattr(each.cell_contents, "token_expires_at")]
    cell.cell_contents.token_expires_at = datetime.now() - timedelta(seconds=1)  # noqa: DTZ005
    assert await access.headers() == {"Authorization": "Bearer second"}
    (account / "token").unlink()
    cell.cell_contents.token_expires_at = datetime.now() - timedelta(seconds=1)  # noqa: DTZ005
    assert await access.headers() == {"Authorization": "Bearer second"}, "better than nothing"


@pytest.mark.parametrize("inline", [True, False])
async def test_a_kubeconfig_gives_server_authority_and_token(
    tmp_path: Path, *, inline: bool
) -> None:
    (tmp_path / "ca.pem").write_text(AUTHORITY)
    data = base64.b64encode(AUTHORITY.encode()).decode()
    given = {"certificate-authority-data": data} if inline else {"certificate-authority": "ca.pem"}
    access = await find_access(kubeconfig(tmp_path, {"token": "abc"}, **given))
    assert access.server == "https://host:1"
    assert await access.headers() == {"Authorization": "Bearer abc"}
    (authority,) = await trusted(access)
    assert "test-authority" in authority


async def test_verification_is_left_out_only_where_the_kubeconfig_says_so(tmp_path: Path) -> None:
    checked = await tls_of(await find_access(kubeconfig(tmp_path, {"token": "abc"})))
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    unsafe = await find_access(
        kubeconfig(tmp_path, {"token": "abc"}, **{"insecure-skip-tls-verify": True})
    )
    assert (await tls_of(unsafe)).verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"exec": {"command": "no-such-command", "apiVersion": "v1"}}, "neither a token nor"),
        ({"tokenFile": "missing"}, "missing"),
        ({"client-certificate": "a.pem", "client-key": "a.key"}, "a.pem"),
    ],
)
async def test_a_user_that_cannot_log_in_is_named(tmp_path: Path, user: Any, words: str) -> None:
    with pytest.raises(Unreachable, match=words):
        await find_access(kubeconfig(tmp_path, user))


@pytest.mark.parametrize("text", ["", "[]", "a: [", "current-context: x", "\0"])
async def test_a_kubeconfig_that_is_none_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(Unreachable, match="kubeconfig"):
        await find_access({"KUBECONFIG": str(tmp_path / "config")})


async def test_who_speaks_plain_http_needs_no_name(tmp_path: Path) -> None:
    environment = kubeconfig(tmp_path, {}, server="http://127.0.0.1:1")
    access = await find_access(environment)
    assert access.server == "http://127.0.0.1:1"
    assert await access.headers() == {}


async def test_nowhere_to_go_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"\.kube/config.*set KUBECONFIG, or run inside a pod"):
        await find_access({"HOME": str(tmp_path)})
    with pytest.raises(Unreachable, match="service account"):
        await find_access(INSIDE, tmp_path)
