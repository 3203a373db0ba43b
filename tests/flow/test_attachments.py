"""Files: announced, uploaded by whoever has the address, sent once, loaded by those who see the message."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import unquote

import httpx
import pytest

from tests.flow.client import Client, Json, Parley
from tests.flow.test_statements import statements
from tests.storage.files import FILES, HTML, PROGRAM

pytestmark = pytest.mark.usefixtures("common_server")

PICTURE = FILES["image/png"]
CREATE = """mutation ($input: CreateUploadInput!) { createUpload(input: $input) {
    attachment { id filename contentType size url width height } uploadUrl method headers { name value }
    errors { ... on UserError { code message path } } } }"""
FILE = "attachments { id filename contentType size url width height }"
PAGE = f"query ($id: ID!) {{ conversation(id: $id) {{ messages {{ nodes {{ seq body {FILE} }} }} }} }}"
NODE = "query ($id: ID!) { node(id: $id) { __typename id ... on Attachment { filename url } } }"


def announcement(content: bytes, **more: object) -> Json:
    checksum = hashlib.sha256(content).hexdigest()
    return {"filename": "picture.png", "contentType": "image/png", "size": len(content), "checksum": checksum, **more}


async def announce(client: Client, content: bytes = PICTURE, **more: object) -> Json:
    """An accepted announcement."""
    payload: Json = (await client.run(CREATE, input=announcement(content, **more)))["createUpload"]
    assert payload["errors"] == []
    return payload


async def put(client: Client, payload: Json, content: bytes = PICTURE, **more: str) -> httpx.Response:
    """As a client does it: with what it was told, and no token."""
    headers = {header["name"]: header["value"] for header in payload["headers"]} | more
    return await client.http.request(payload["method"], payload["uploadUrl"], content=content, headers=headers)


async def upload(client: Client, content: bytes = PICTURE, **more: object) -> Json:
    """An attachment that is there, in no message."""
    payload = await announce(client, content, **more)
    response = await put(client, payload, content)
    assert response.status_code == 204, response.text
    attachment: Json = payload["attachment"]
    return attachment


async def errors(client: Client, **wrong: object) -> list[tuple[str, list[str]]]:
    payload = (await client.run(CREATE, input=announcement(PICTURE, **wrong)))["createUpload"]
    assert (payload["attachment"] is None) == bool(payload["errors"])
    return [(error["code"], error["path"]) for error in payload["errors"]]


async def test_a_file_goes_its_way(ada: Client, grace: Client, linus: Client) -> None:
    """Announced, uploaded, sent without a text, heard of by the other one, loaded; strangers see nothing of it."""
    conversation = await ada.start(grace)
    async with grace.socket() as socket:
        stream = await socket.subscribe(
            f"subscription ($id: ID!) {{ conversationEvents(conversationId: $id) {{ ... on MessageSent {{ message {{ {FILE} }} }} }} }}",
            id=conversation,
        )
        await asyncio.sleep(0)
        picture = await upload(ada)
        text = await upload(ada, b"hello", filename="a / b.txt".replace("/", "-"), contentType="text/plain;charset=x")
        assert await linus.run(NODE, id=picture["id"]) == {"node": None} == await grace.run(NODE, id=picture["id"])
        sent = await ada.run(
            f"mutation ($input: SendMessageInput!) {{ sendMessage(input: $input) {{ message {{ {FILE} }} errors {{ __typename }} }} }}",
            input={"to": {"conversationId": conversation}, "body": "", "attachmentIds": [text["id"], picture["id"]]},
        )
        event = (await socket.next(stream))["conversationEvents"]
    (message,) = (await grace.run(PAGE, id=conversation))["conversation"]["messages"]["nodes"]
    expected = [{**text, "width": None}, {**picture, "width": 3, "height": 2}]
    assert message["attachments"] == expected == event["message"]["attachments"]
    assert sent["sendMessage"] == {"message": {"attachments": expected}, "errors": []}
    assert [(each["filename"], each["contentType"]) for each in expected] == [
        ("a - b.txt", "text/plain"),
        ("picture.png", "image/png"),
    ]
    assert [(await grace.http.get(each["url"])).content for each in message["attachments"]] == [b"hello", PICTURE]
    assert (await grace.run(NODE, id=picture["id"]))["node"]["filename"] == "picture.png"
    assert await linus.run(NODE, id=picture["id"]) == {"node": None}


async def test_what_may_be_announced(ada: Client) -> None:
    """Each field has its rules, and all that is wrong is told at once; a name is cleaned as far as it can be."""
    for name in ("", " ", "..", "a/b", "..\\b", "a\u0007b", "x" * 256):
        assert await errors(ada, filename=name) == [("VALIDATION_ERROR", ["input", "filename"])]
    for kind in ("", "image", "image/svg+xml", "text/html", "application/x-msdownload", "image/*"):
        assert await errors(ada, contentType=kind) == [("VALIDATION_ERROR", ["input", "contentType"])]
    for size in (-1, 0, 26_214_401):
        assert await errors(ada, size=size) == [("VALIDATION_ERROR", ["input", "size"])]
    for checksum in ("", "z" * 64, "A" * 64):
        assert await errors(ada, checksum=checksum) == [("VALIDATION_ERROR", ["input", "checksum"])]
    assert len(await errors(ada, filename="/", contentType="x", size=0, checksum="")) == 4
    named = await announce(ada, filename="  a\u202egnp.\u2066exe \t b ")
    assert named["attachment"]["filename"] == "agnp.exe b"


@pytest.mark.parametrize(
    ("content", "more", "status", "said"),
    [
        (PICTURE + b"!", {}, 413, "were announced"),
        (PICTURE[:-1], {}, 400, "were announced"),
        (PICTURE, {"Content-Type": "text/html"}, 415, "image/png was announced"),
        (PICTURE[:-1] + b"!", {}, 422, "SHA-256"),
    ],
)
async def test_only_what_was_announced_is_taken(
    ada: Client, grace: Client, content: bytes, more: dict[str, str], status: int, said: str
) -> None:
    """Size, type and checksum; what is refused can be done right with the same address, and cannot be sent before."""
    conversation, payload = await ada.start(grace), await announce(ada)
    response = await put(ada, payload, content, **more)
    assert response.status_code == status
    (error,) = response.json()["errors"]
    assert said in error["message"]
    assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    sending = await ada.send(conversation, "", attachmentIds=[payload["attachment"]["id"]])
    assert [(each["code"], each["path"]) for each in sending["errors"]] == [
        ("VALIDATION_ERROR", ["input", "attachmentIds", "0"])
    ]
    assert [(await put(ada, payload)).status_code for _ in range(2)] == [204, 204]
    assert (await ada.send(conversation, "", attachmentIds=[payload["attachment"]["id"]]))["errors"] == []


async def test_a_body_in_pieces_is_counted(ada: Client) -> None:
    """Without a length, too: it is read no further than what was announced."""
    payload = await announce(ada)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1_000_000_000:
            sent += 65_536
            yield bytes(65_536)

    with suppress(httpx.NetworkError):  # the connection is closed while it is still being written to
        response = await ada.http.put(payload["uploadUrl"], content=endless(), headers={"Content-Type": "image/png"})
        assert response.status_code == 422
    assert sent < 100_000_000


@pytest.mark.parametrize("content", [PROGRAM, HTML, FILES["application/pdf"]])
async def test_what_is_in_it_counts(ada: Client, content: bytes) -> None:
    """A program, a page or another document is no picture, whatever it is called."""
    response = await put(ada, await announce(ada, content), content)
    assert (response.status_code, response.json()["errors"][0]["message"]) == (
        422,
        "the file is not what image/png files are",
    )


async def test_addresses_are_for_one_thing(ada: Client) -> None:
    """One that was changed, or is used the other way round, is refused."""
    payload = await announce(ada)
    up, down = payload["uploadUrl"], payload["attachment"]["url"]
    assert (await ada.http.get(down)).status_code == 404  # nothing is there yet
    assert (await put(ada, payload)).status_code == 204
    assert (await ada.http.get(down)).content == PICTURE
    for url in (up.replace("/uploads/", "/attachments/"), down[:-3], "/attachments/x", "/attachments/..%2f..%2fx"):
        assert (await ada.http.get(url)).status_code in {403, 404}
    for url in (down.replace("/attachments/", "/uploads/"), up[:-3]):
        response = await ada.http.put(url, content=PICTURE, headers={"Content-Type": "image/png"})
        assert response.status_code == 403


async def test_a_download_is_safe(ada: Client) -> None:
    """It is saved under its name, whatever is in that, runs nowhere, is kept by nobody else, and comes in ranges."""
    name = 'naïve "x"; filename=evil.html.png'
    file = await upload(ada, filename=name)
    response = await ada.http.get(file["url"], headers={"Origin": "http://localhost:3000"})
    headers = response.headers
    assert response.content == PICTURE
    assert headers["content-type"] == "image/png"
    kind, _, given = headers["content-disposition"].partition("; filename*=utf-8''")
    assert (kind, unquote(given)) == ("attachment", name)
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "private, max-age=3600, immutable"
    part = await ada.http.get(file["url"], headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    assert (await ada.http.head(file["url"])).headers["content-length"] == str(len(PICTURE))


async def test_a_file_is_in_one_message(ada: Client, grace: Client) -> None:
    """Twenty sends at once with the same file: one has it; a repeat of that one is the same message."""
    conversation, file = await ada.start(grace), await upload(ada)
    sends = [
        ada.send(conversation, "x", attachmentIds=[file["id"]], clientMessageId=f"k{number}") for number in range(20)
    ]
    outcomes = await asyncio.gather(*sends)
    ((place, won),) = [(place, each["message"]) for place, each in enumerate(outcomes) if each["message"]]
    wrong = {(error["code"], tuple(error["path"]), error["message"]) for each in outcomes for error in each["errors"]}
    assert wrong == {("VALIDATION_ERROR", ("input", "attachmentIds", "0"), "it is in another message")}
    again = await ada.send(conversation, "x", attachmentIds=[file["id"]], clientMessageId=f"k{place}")
    assert (again["deduplicated"], again["message"]) == (True, won)
    without = await ada.send(conversation, "x", clientMessageId=f"k{place}")
    assert [error["code"] for error in without["errors"]] == ["IDEMPOTENCY_CONFLICT"]


async def test_what_cannot_be_sent(ada: Client, grace: Client) -> None:
    """What is another's, there is none of, twice in one message, or too much; a message without anything; nothing is sent."""
    conversation, file = await ada.start(grace), (await upload(ada))["id"]
    foreign = (await upload(grace))["id"]
    common = (await upload(grace))["id"]
    await grace.send(conversation, "seen", attachmentIds=[common])
    many = [(await announce(ada))["attachment"]["id"] for _ in range(11)]
    cases = [
        ([foreign], ["NOT_FOUND"], [["input", "attachmentIds", "0"]]),
        ([common], ["NOT_FOUND"], [["input", "attachmentIds", "0"]]),
        ([file, "A_" + "0" * 43], ["NOT_FOUND"], [["input", "attachmentIds", "1"]]),
        ([file, file], ["VALIDATION_ERROR"], [["input", "attachmentIds"]]),
        (many, ["VALIDATION_ERROR"], [["input", "attachmentIds"]]),
        ([], ["VALIDATION_ERROR"], [["input", "body"]]),
    ]
    for ids, codes, paths in cases:
        found = (await ada.send(conversation, " ", attachmentIds=ids))["errors"]
        assert ([error["code"] for error in found], [error["path"] for error in found]) == (codes, paths)
    assert (await ada.send(conversation, "", attachmentIds=[file]))["message"]["seq"] == 2


async def test_a_conversation_may_begin_with_a_file(ada: Client, grace: Client) -> None:
    """With the first message, all or nothing; a repeat is the same."""
    file = (await upload(ada))["id"]
    start = f"""mutation ($input: StartConversationInput!) {{ startConversation(input: $input) {{
        message {{ id {FILE} }} errors {{ ... on UserError {{ code path }} }} }} }}"""
    given = {"participantIds": [await grace.id()], "title": "t"}
    first = {"body": "", "clientMessageId": "first", "attachmentIds": [file]}
    started = (await ada.run(start, input={**given, "firstMessage": first}))["startConversation"]
    assert [each["id"] for each in started["message"]["attachments"]] == [file]
    assert (await ada.run(start, input={**given, "firstMessage": first}))["startConversation"] == started
    before = (await ada.run("{ conversations { totalCount } }"))["conversations"]["totalCount"]
    again = await ada.run(start, input={**given, "firstMessage": {**first, "clientMessageId": "other"}})
    assert again["startConversation"]["errors"] == [
        {"code": "VALIDATION_ERROR", "path": ["input", "firstMessage", "attachmentIds", "0"]}
    ]
    assert (await ada.run("{ conversations { totalCount } }"))["conversations"]["totalCount"] == before


async def test_files_of_a_page_are_one_statement(parley: Parley, ada: Client, grace: Client) -> None:
    """Beside the page's own, and only where they are asked for; in an inbox too."""
    conversation = await ada.start(grace)
    for _ in range(3):
        ids = [(await upload(ada))["id"] for _ in range(2)]
        await ada.send(conversation, "", attachmentIds=ids)
    answered = (await ada.send(conversation, "", attachmentIds=[(await upload(ada))["id"]]))["message"]["id"]
    for body in ("one", "two"):
        await ada.send(conversation, body, replyToId=answered)
    replies = PAGE.replace(FILE, f"replyTo {{ {FILE} }}")
    assert await statements(parley, ada, replies, id=conversation) == 2
    nodes = (await ada.run(replies, id=conversation))["conversation"]["messages"]["nodes"]
    assert [len(node["replyTo"]["attachments"]) for node in nodes if node["replyTo"]] == [1, 1]
    inbox = "{ conversations { nodes { lastMessage { FILES } messages { nodes { FILES } } } } }"
    assert await statements(parley, ada, PAGE, id=conversation) == 2
    assert await statements(parley, ada, PAGE.replace(FILE, ""), id=conversation) == 1
    assert await statements(parley, ada, inbox.replace("FILES", FILE)) == 3
    assert await statements(parley, ada, inbox.replace("FILES", "body")) == 1


async def test_a_page_elsewhere_may_upload(ada: Client) -> None:
    """Its browser asks before: PUT with a type, as of the API."""
    payload = await announce(ada)
    response = await ada.http.options(
        payload["uploadUrl"],
        headers={
            "Origin": "https://a.example",
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert "PUT" in response.headers["access-control-allow-methods"]
