"""Manual grading on several machines: TLS of its own, or behind a proxy; hosts and origins."""

from __future__ import annotations

import hashlib
import http.client
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from autograder.desk import certificate
from autograder.desk.address import Address, AddressError, host_of, listen, origin_of, reached
from autograder.desk.app import serve
from tests import example_results
from tests.desk_client import InProcess

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        example_results.write_pages_here(patch)
        example_results.write(folder, 2)
    return folder


# --- by which names it is reached ---------------------------------------------------------------------


def test_a_host_is_a_name_or_an_address_of_a_machine():
    assert host_of("Desk.Example.EDU") == "desk.example.edu"
    assert host_of("[fe80::0001]") == "fe80::1"
    for wrong in ("0.0.0.0", "::"):
        with pytest.raises(AddressError, match="names no machine"):
            host_of(wrong)
    for wrong in ("", "a b", "x/y", "-x", "a\nb", "a:b@c", "host,DNS:evil"):
        with pytest.raises(AddressError, match="no name and no address"):
            host_of(wrong)


def test_a_proxys_origin_has_tls_and_no_path():
    assert origin_of("https://Desk.example.edu/") == "https://desk.example.edu"
    assert origin_of("https://desk.example.edu:443") == "https://desk.example.edu"
    assert origin_of("https://desk.example.edu:8443") == "https://desk.example.edu:8443"
    for wrong in (
        "http://desk.example.edu",
        "desk.example.edu",
        "https://a/b",
        "https://",
        "https://u@a",
        "",
    ):
        with pytest.raises(AddressError):
            origin_of(wrong)


def test_without_tls_the_desk_answers_for_this_machine_alone():
    assert reached([], 8765, False) == Address(("http://127.0.0.1:8765", "http://localhost:8765"))
    assert reached(["a.edu"], 443, True).origins == (
        "https://a.edu",
        "https://127.0.0.1",
        "https://localhost",
    )
    assert reached([], 8765, False, "https://p.edu") == Address(("https://p.edu",), True)


def test_a_name_that_is_not_this_machines_is_refused_in_words():
    made = socket.create_server
    with pytest.raises(AddressError, match="a name or address of this machine"):
        listen(["192.0.2.1"], 0)
    with pytest.MonkeyPatch.context() as patch:  # as /etc/hosts of many systems has it
        patch.setattr("socket.create_server", lambda place, family: made(("127.0.0.1", 0)))
        with pytest.raises(AddressError, match="takes that name for itself alone"):
            listen(["desk.example.edu"], 0)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AddressError, match="open already"):
        listen([], taken.getsockname()[1])


def test_host_beside_a_proxy_and_a_missing_openssl_are_refused(output: Path, monkeypatch: pytest.MonkeyPatch):
    asked = {"port": 0, "people": [("", True)], "tell": print, "hosts": ["127.0.0.2"]}
    with pytest.raises(AddressError, match="leave --host out"):
        serve(output, **asked, proxy="https://desk.example.edu")
    monkeypatch.setattr("autograder.desk.certificate.shutil.which", lambda name: None)
    (output / certificate.FILE).unlink(missing_ok=True)
    with pytest.raises(AddressError, match="made by the command openssl"):
        serve(output, **asked)  # never without TLS instead


def test_behind_a_proxy_host_and_origin_are_the_proxys_and_cookies_go_over_tls_alone(output: Path):
    here = InProcess(output, Address(("https://desk.example.edu",), True))
    ann = here.enter("Ann", head=True)
    assert ann.cookie.startswith("__Host-desk-")
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= set(ann.set_cookie.lower().split("; "))
    assert "domain" not in ann.set_cookie.lower()
    assert here.door.link("Bob").startswith("https://desk.example.edu/enter?token=")
    for host in ("127.0.0.1:8765", "desk.example.edu:8765", "desk.example.edu.evil.org", "evil.org", ""):
        assert here.ask("/", cookie=ann.cookie, host=host)[0] == 400, host
    assert here.ask("/", cookie=ann.cookie)[0] == 200
    origins = ("http://desk.example.edu", "https://desk.example.edu:8443", "https://evil.org", "null", "")
    for origin in origins:  # a page of another scheme or port is another site
        sent = {"cookie": ann.cookie, "content_type": "application/json", "origin": origin}
        assert here.ask("/api/me", "POST", "{}", **sent)[0] == 403, origin
    assert ann.post("/api/me", {})[0] == 200
    forwarded = {"x_forwarded_host": "evil.org", "x_forwarded_proto": "http"}
    assert here.ask("/", cookie=ann.cookie, **forwarded)[0] == 200
    assert "evil.org" not in here.ask("/", cookie=ann.cookie, **forwarded)[2]


# --- the own certificate -----------------------------------------------------------------------------


@needs_openssl
def test_the_certificate_is_kept_for_its_owner_alone_and_made_anew_for_other_names(tmp_path: Path):
    path = certificate.certificate(tmp_path, ["desk.example.edu", "127.0.0.1"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = certificate.fingerprint(path)
    assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", first)
    path.chmod(0o644)
    assert (
        certificate.fingerprint(certificate.certificate(tmp_path, ["desk.example.edu", "127.0.0.1"])) == first
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert certificate.fingerprint(certificate.certificate(tmp_path, ["other.example.edu"])) != first
    path.write_text(re.sub("until: .*", "until: 2020-01-01T00:00:00+00:00", path.read_text()))
    old = certificate.fingerprint(path)
    assert certificate.fingerprint(certificate.certificate(tmp_path, ["other.example.edu"])) != old


def ask_tls(address: str, port: int, path: str, method: str = "GET", body: str = "", **headers: str):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, port, timeout=30, context=context)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    der = connection.sock.getpeercert(binary_form=True)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, dict(response.getheaders()), text, hashlib.sha256(der).hexdigest()


@needs_openssl
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no 127.0.0.2 unless it is set up")
def test_three_graders_on_two_addresses_over_tls_and_one_is_sent_away(output: Path):
    command = [sys.executable, "-m", "autograder", "desk", str(output), "--port", "0", "--host", "127.0.0.2"]
    command += ["--head", "Ann", "--grader", "Bob", "--grader", "Cleo"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = ""
        while "Stop with" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        links = re.findall(r"(https://127\.0\.0\.2:(\d+)/enter\?token=\S+)  (.+)", said)
        assert [who for _, _, who in links] == ["Ann, head grader", "Bob, grader", "Cleo, grader"]
        printed = re.search(r"((?:[0-9A-F]{2}:){31}[0-9A-F]{2})", said)[1].replace(":", "").lower()
        port = int(links[0][1])
        cookies = {}
        for (link, _, who), address in zip(links, ("127.0.0.2", "127.0.0.1", "127.0.0.2"), strict=True):
            parts = urlsplit(link)
            status, headers, _, seen = ask_tls(
                address, port, f"{parts.path}?{parts.query}", host=f"{address}:{port}"
            )
            assert (status, seen) == (303, printed)
            assert "Secure" in headers["set-cookie"]
            cookies[who.partition(",")[0]] = (address, headers["set-cookie"].partition(";")[0])

        def page(name: str) -> int:
            address, cookie = cookies[name]
            return ask_tls(address, port, "/", cookie=cookie)[0]

        assert [page(name) for name in ("Ann", "Bob", "Cleo")] == [200, 200, 200]
        address, cookie = cookies["Ann"]
        sent = {"cookie": cookie, "content_type": "application/json", "origin": f"https://{address}:{port}"}
        body = '{"name": "Bob"}'
        status, _, text, _ = ask_tls(address, port, "/api/revoke", "POST", body, **sent)
        assert (status, "no access any more" in text) == (200, True)
        assert [page(name) for name in ("Ann", "Bob", "Cleo")] == [200, 401, 200]
        plain = http.client.HTTPConnection("127.0.0.2", port, timeout=30)
        plain.request("GET", "/")
        with pytest.raises((http.client.BadStatusLine, ConnectionError)):  # no answer without TLS
            plain.getresponse()
    finally:
        process.kill()
        process.communicate(timeout=30)
