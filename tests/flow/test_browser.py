"""The GraphiQL page in a real browser against the real server, used as two people would (browser/page.mjs).

Needs Node, Chromium, `npm ci && npm run build` in web/ and `npm ci` in tests/flow/browser/. Where one is missing these tests
are skipped, or fail with REQUIRE_BROWSER=1. BROWSER_SHOTS=FOLDER keeps the screenshots.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "tests" / "flow" / "browser" / "page.mjs"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NODE = shutil.which("node")
START_SECONDS = 60
SCENARIO_SECONDS = 120

Seen = dict[str, Any]


def missing() -> str | None:
    """What keeps these tests from running, for a person to install."""
    needed = {
        "Node 20 or later": NODE,
        "Chromium": CHROMIUM,
        "the page: `npm ci && npm run build` in web/": (PROJECT / "web" / "static" / "index.html").is_file(),
        "the clients: `npm ci` in tests/flow/browser/": all(
            (SCRIPT.parent / "node_modules" / client).is_dir() for client in ("playwright-core", "graphql-ws")
        ),
    }
    absent = [name for name, found in needed.items() if not found]
    return f"the browser tests need {'; '.join(absent)}" if absent else None


def require_browser() -> None:
    """Go no further where something is missing."""
    if reason := missing():
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own, on an embedded database with the demo users."""
    require_browser()
    folder = tmp_path_factory.mktemp("browser")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    environment["PARLEY_DATA_DIR"] = str(folder / "data")
    port = free_port()
    log = folder / "server.log"
    with log.open("wb") as output:
        command = [sys.executable, "server.py", "serve", "--port", str(port)]
        server = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", server, log)
            subprocess.run([sys.executable, "server.py", "seed"], cwd=PROJECT, env=environment, check=True)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{address}/readyz").is_success:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.05)
    pytest.fail(f"the server did not get ready within {START_SECONDS} s:\n{log.read_text()}")


@pytest.fixture(scope="module")
def seen(address: str, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What the browser saw: answers by step, and every request, console message and policy violation."""
    shots = Path(os.environ.get("BROWSER_SHOTS") or tmp_path_factory.mktemp("shots"))
    shots.mkdir(parents=True, exist_ok=True)
    command = [str(NODE), str(SCRIPT), f"{address}/", str(CHROMIUM), str(shots)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=SCENARIO_SECONDS, check=False)
    assert result.returncode == 0, f"{result.stderr}\nscreenshots: {shots}"
    found: Seen = json.loads(result.stdout)
    return found


def test_no_request_leaves_the_machine(seen: Seen, address: str) -> None:
    """Every request, sockets included, goes to the server that served the page."""
    hosts = {urlsplit(url).netloc for url in seen["requests"] if not url.startswith("data:")}
    assert hosts == {urlsplit(address).netloc}


def test_no_request_fails(seen: Seen) -> None:
    """All files of the page are there."""
    assert seen["failed"] == []


def test_the_console_is_empty(seen: Seen) -> None:
    """No error, no warning, nothing uncaught."""
    assert seen["console"] == []


def test_the_content_security_policy_holds(seen: Seen) -> None:
    """Nothing in the page tries what the policy forbids."""
    assert seen["violations"] == []


def test_the_first_demo_user_is_signed_in(seen: Seen) -> None:
    """A first visit is Ada's, and the title says so."""
    assert seen["title"] == "Parley · Ada Lovelace"


def test_the_tabs_are_named(seen: Seen) -> None:
    """There is a tab for each thing to try."""
    assert seen["tabs"] == ["Inbox", "History", "Send", "React", "Edit", "MarkRead", "Search", "Live", "Everything"]


def test_a_reload_keeps_the_tabs(seen: Seen) -> None:
    """After a quick reload the same tabs are there: none lost, none twice."""
    assert seen["tabsAfterReload"] == seen["tabs"]


def test_a_query_answers(seen: Seen) -> None:
    """The first tab lists the conversations of the person who is signed in."""
    assert "errors" not in seen["inbox"]
    assert seen["inbox"]["data"]["viewer"]["user"] == {"handle": "ada", "name": "Ada Lovelace"}
    assert seen["inbox"]["data"]["conversations"]["nodes"] != []


def test_prettify_works(seen: Seen) -> None:
    """The formatter, which is loaded when it is first used, is part of the build."""
    assert "    user {\n      handle\n      name\n    }\n" in seen["prettified"]


def test_the_conversation_is_filled_in(seen: Seen) -> None:
    """The history tab works without an id being typed."""
    assert "errors" not in seen["history"]
    assert seen["history"]["data"]["conversation"]["messages"]["nodes"] != []


def test_a_message_from_another_window_arrives(seen: Seen) -> None:
    """What Grace sends in her window is in Ada's running subscription."""
    sent = seen["sent"]["data"]["sendMessage"]
    event = seen["arrived"]["data"]["conversationEvents"]
    assert sent["errors"] == []
    assert (event["__typename"], event["actor"]["handle"]) == ("MessageSent", "grace")
    assert (event["message"]["id"], event["message"]["body"]) == (sent["message"]["id"], "From another window")


def test_a_subscription_outlives_its_tab(seen: Seen) -> None:
    """A message sent from another tab of the same page is there when the subscription's tab is back."""
    event = seen["backInTab"]["data"]["conversationEvents"]
    assert event["message"]["id"] == seen["sentFromTab"]["data"]["sendMessage"]["message"]["id"]


def test_a_reaction_to_the_newest_message(seen: Seen) -> None:
    """The react tab works on the chosen conversation's newest message, without an id being typed."""
    payload = seen["reacted"]["data"]["addReaction"]
    assert payload["errors"] == []
    assert [(group["emoji"], group["viewerHasReacted"]) for group in payload["message"]["reactions"]] == [("👍", True)]


def test_an_edit_keeps_what_was_said_before(seen: Seen) -> None:
    """Markdown is shown as HTML, and the history of the message holds its first body."""
    payload = seen["edited"]["data"]["editMessage"]
    assert payload["errors"] == []
    assert "<em>better</em>" in payload["message"]["bodyHtml"]
    assert [edit["body"] for edit in payload["message"]["edits"]] == ["From another tab"]


def test_a_search_marks_what_it_finds(seen: Seen) -> None:
    """The search tab finds what Grace sent a moment ago."""
    (found,) = seen["searched"]["data"]["searchMessages"]["edges"]
    assert found["snippet"] == "From <mark>another</mark> <mark>window</mark>"


def test_marking_read_answers(seen: Seen) -> None:
    """The mark-read tab leaves nothing unread."""
    payload = seen["markRead"]["data"]["markRead"]
    assert payload["errors"] == []
    assert payload["conversation"]["viewerState"]["unreadCount"] == 0


def test_the_socket_follows_the_person(seen: Seen) -> None:
    """Whoever is chosen signs the socket in: Ada, Grace in her window, Linus in the same window, then nobody."""
    assert seen["inits"] == ["ada", "grace", "linus", None]


def test_nobody_is_told_to_sign_in(seen: Seen) -> None:
    """Without a token the page still works, and the API says what is missing."""
    assert [error["extensions"]["code"] for error in seen["anonymous"]["errors"]] == ["UNAUTHENTICATED"]


def test_nobody_reads_the_schema(seen: Seen) -> None:
    """The documentation is there without a token."""
    assert seen["documented"] == "Subscription"
