"""`manage.py serve`, as a process: a first start, a second start, refusals, and an end that drops nobody."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import sqlite3
import time
from pathlib import Path

import httpx
import pytest

from tests.processes import manage, serve, threads_of

PRODUCTION = {
    "PARLANT_ENV": "production",
    "PARLANT_SECRET_KEY": "only-the-tests-know-this-key-which-is-long-enough",
    "PARLANT_ALLOWED_HOSTS": "127.0.0.1",
    "PARLANT_HTTPS": "false",
}


@pytest.fixture(scope="module")
def _prepared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("prepared")
    with serve(PARLANT_HOME=str(home)):
        pass
    return home


@pytest.fixture
def home(_prepared_home: Path, tmp_path: Path) -> str:
    """A home in which a server has been before: a first start takes its time, and few tests are about it."""
    return str(shutil.copytree(_prepared_home, tmp_path / "home"))


def test_a_first_start_makes_everything_and_a_second_keeps_it(tmp_path: Path) -> None:
    home = str(tmp_path / "deep" / "home")
    with serve(PARLANT_HOME=home) as server:
        text = server.log.read_text()
        assert "open to everybody" in text
        name, password = re.search(r"First operator: (\S+), password (\S+) ", text).groups()  # type: ignore[union-attr]
        created = httpx.post(f"{server.url}/customers", json={"name": "Ada"})
        assert created.status_code == 201
        assert httpx.get(f"{server.url}/static/admin/css/base.css").status_code == 200
    assert server.process.returncode == 0
    secret_key = Path(home, "secret-key").read_text()

    with serve(PARLANT_HOME=home) as server:
        assert "First operator" not in server.log.read_text()
        assert httpx.get(f"{server.url}/customers/{created.json()['id']}").json() == created.json()
        assert Path(home, "secret-key").read_text() == secret_key
    shell = "from django.contrib.auth import authenticate; print(authenticate(username=%r, password=%r).is_superuser)"
    assert manage("shell", "-v0", "-c", shell % (name, password), PARLANT_HOME=home).stdout.strip() == "True"


def test_a_new_site_answers_at_once_and_calls_a_human_for_what_it_does_not_know(tmp_path: Path) -> None:
    with serve(PARLANT_HOME=str(tmp_path)) as server, httpx.Client(base_url=server.url, timeout=60) as http:
        (agent,) = http.get("/agents").json()
        assert f"First agent: {agent['name']}, id {agent['id']}" in server.log.read_text()

        def ask(message: str) -> tuple[str, str]:
            session = http.post("/sessions", json={"agent_id": agent["id"]}).json()["id"]
            said = {"kind": "message", "source": "customer", "message": message}
            http.post(f"/sessions/{session}/events", json=said)
            events = f"/sessions/{session}/events?source=ai_agent&wait_for_data=50"
            (answer,) = http.get(f"{events}&kinds=message").json()
            while http.get(f"{events}&kinds=status").json()[-1]["data"]["status"] != "ready":
                pass
            return answer["data"]["message"], http.get(f"/sessions/{session}").json()["mode"]

        assert ask("hello!") == ("Hello! How can I help you?", "auto")
        assert ask("Are you human?")[0].startswith("I am Assistant, a computer program.")
        assert ask("what can you do for me?")[1] == ask("thanks a lot")[1] == ask("bye")[1] == "auto"
        assert ask("can I talk to a real person?") == (
            "Of course. I am asking a colleague to join this conversation; they will answer you here.",
            "manual",
        )
        assert ask("Where is my parcel?") == (
            "I am sorry, I do not know the answer to that. I am asking a colleague, who will answer you here.",
            "manual",
        )
        assert http.delete(f"/agents/{agent['id']}").status_code == 204
    with serve(PARLANT_HOME=str(tmp_path)) as server:
        assert httpx.get(f"{server.url}/agents").json() == []


def test_the_first_operators_password_may_come_from_the_environment(tmp_path: Path) -> None:
    given = {"PARLANT_HOME": str(tmp_path), "PARLANT_OPERATOR_NAME": "ada", "PARLANT_OPERATOR_PASSWORD": "analytical"}
    with serve(**given) as server:
        text = server.log.read_text()
        assert "First operator: ada" in text
        assert "analytical" not in text


def test_production_asks_for_a_token(home: str) -> None:
    with serve(PARLANT_HOME=home, **PRODUCTION) as server:
        assert "open to everybody" not in server.log.read_text()
        assert httpx.get(f"{server.url}/customers").status_code == 401
        assert "Warning" not in server.log.read_text()


@pytest.mark.parametrize("mode", [{}, PRODUCTION], ids=["development", "production"])
def test_static_files_are_served_as_they_are_installed(home: str, mode: dict[str, str]) -> None:
    with serve(PARLANT_HOME=home, **mode) as server, httpx.Client(base_url=server.url) as client:
        css = "/static/admin/css/base.css"
        whole = client.get(css)
        assert whole.status_code == 200
        assert whole.headers["content-type"].startswith("text/css")
        assert whole.headers["x-content-type-options"] == "nosniff"
        assert client.get(css, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
        part = client.get(css, headers={"Range": "bytes=2-5"})
        assert (part.status_code, part.content) == (206, whole.content[2:6])
        head = client.head(css)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) == len(whole.content)
        assert client.post(css).status_code == 405
        paths = ["no-such-file.css", "", "admin", "../settings.py", "..%2f..%2fsettings.py", "admin/css/%00", "%C3%BC"]
        for path in paths:
            assert client.get(f"/static/{path}").status_code in (404, 307), path
        threads = threads_of(server.pid)
        for _ in range(50):
            assert client.get(css).status_code == 200
        assert threads_of(server.pid) <= threads


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "parlant.example"])
def test_development_refuses_to_listen_to_the_network(tmp_path: Path, host: str) -> None:
    refused = manage("serve", "--host", host, PARLANT_HOME=str(tmp_path / "home"))
    assert refused.returncode == 1
    assert "PARLANT_ENV=production" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "home" / "parlant.sqlite3").exists()


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = manage("serve", "--port", str(taken.getsockname()[1]), PARLANT_HOME=str(tmp_path))
    assert refused.returncode == 1
    assert "already in use" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("showmigrations",)])
def test_an_unreachable_database_is_said_in_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    url = "postgres://someone:sekret@127.0.0.1:1/nowhere"
    refused = manage(*command, PARLANT_HOME=str(tmp_path), PARLANT_DATABASE_URL=url)
    assert refused.returncode == 1
    assert "Connection refused" in refused.stderr
    assert "sekret" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_database_without_tables_is_said_in_one_line(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "parlant.sqlite3").close()
    refused = manage("changepassword", "operator", PARLANT_HOME=str(tmp_path))
    assert refused.returncode == 1
    assert "manage.py migrate" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_tables_are_made_in_a_home_that_is_not_there_yet(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    made = manage("migrate", PARLANT_HOME=str(home), PARLANT_SECRET_KEY="k" * 50)
    assert made.returncode == 0, made.stderr
    assert (home / "parlant.sqlite3").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_soon_and_without_an_error(home: str, number: signal.Signals) -> None:
    with serve(PARLANT_HOME=home) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/healthz").status_code == 200  # and the connection stays open
        began = time.monotonic()
        server.process.send_signal(number)
        assert server.process.wait(10) == 0
        assert time.monotonic() - began < 5
        assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_before_it_is_read(home: str, chunked: bool) -> None:
    with (
        serve(PARLANT_HOME=home, PARLANT_MAX_BODY_BYTES="2048") as server,
        socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1])), timeout=5) as connection,
    ):
        head = "POST /customers HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://shop.example\r\n"
        length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 900000000"
        connection.sendall(f"{head}{length}\r\n\r\n".encode() + (b"800\r\n%b\r\n" % (b"x" * 2048)) * 2)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        status, _, rest = answer.decode().partition("\r\n")
        assert status.startswith("HTTP/1.1 413 ")
        assert "access-control-allow-origin: *" in rest.lower()
        assert '{"detail": "The body is larger than 2048 bytes"}' in rest


def test_a_body_within_the_limit_arrives_whole_however_it_is_sent(home: str) -> None:
    body = b'{"name": "Ada", "metadata": {"note": "' + b"x" * 500_000 + b'"}}'

    def in_parts() -> object:
        yield body[:100_000]
        yield body[100_000:]

    with serve(PARLANT_HOME=home) as server:
        for content in (body, in_parts()):
            created = httpx.post(f"{server.url}/customers", content=content)  # type: ignore[arg-type]
            assert created.status_code == 201
            assert len(created.json()["metadata"]["note"]) == 500_000
