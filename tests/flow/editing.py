"""Requests about one message: to edit it, to delete it, to look at it."""

from tests.flow.client import Client, Json

MESSAGE = "id seq body format editedAt deletedAt"
_ERRORS = "errors { __typename ... on UserError { code path } ... on EditConflictError { current { body editedAt } } }"
_EDIT = f"mutation ($input: EditMessageInput!) {{ editMessage(input: $input) {{ message {{ {MESSAGE} }} {_ERRORS} }} }}"
_DELETE = f"""mutation ($input: DeleteMessageInput!) {{ deleteMessage(input: $input) {{
    message {{ {MESSAGE} }} errors {{ __typename ... on UserError {{ code path }} }} }} }}"""


async def edit(client: Client, message: str, body: str, **more: object) -> Json:
    """The payload."""
    payload: Json = (await client.run(_EDIT, input={"messageId": message, "body": body, **more}))["editMessage"]
    return payload


async def edited(client: Client, message: str, body: str, **more: object) -> Json:
    """The message after an edit that was done."""
    payload = await edit(client, message, body, **more)
    assert payload["errors"] == []
    found: Json = payload["message"]
    return found


async def delete(client: Client, message: str) -> Json:
    """The payload."""
    payload: Json = (await client.run(_DELETE, input={"messageId": message}))["deleteMessage"]
    return payload


async def deleted(client: Client, message: str) -> Json:
    """The message after it was deleted."""
    payload = await delete(client, message)
    assert payload["errors"] == []
    found: Json = payload["message"]
    return found


def refused(typename: str, code: str, *path: str) -> Json:
    """The payload of what was refused for this one reason."""
    return {"message": None, "errors": [{"__typename": typename, "code": code, "path": ["input", *path]}]}


async def sent(client: Client, conversation: str, body: str, **more: object) -> str:
    """The id of a message that is sent now."""
    found: str = (await client.send(conversation, body, **more))["message"]["id"]
    return found


async def look(client: Client, message: str, selection: str) -> Json:
    """A message as somebody sees it."""
    data = await client.run(f"query ($id: ID!) {{ node(id: $id) {{ ... on Message {{ {selection} }} }} }}", id=message)
    found: Json = data["node"]
    return found


_CURSOR = "query ($id: ID!) { conversation(id: $id) { eventCursor } }"
_LOG = """query ($id: ID!, $after: String!) {{ conversation(id: $id) {{ events(after: $after) {{ nodes {{
    __typename actor {{ handle }} {} }} }} }} }}"""


async def cursor(client: Client, conversation: str) -> str:
    """Where a conversation's log stands."""
    found: str = (await client.run(_CURSOR, id=conversation))["conversation"]["eventCursor"]
    return found


async def log(client: Client, conversation: str, after: str, selection: str = "") -> list[Json]:
    """What has happened in a conversation since then."""
    data = await client.run(_LOG.format(selection), id=conversation, after=after)
    found: list[Json] = data["conversation"]["events"]["nodes"]
    return found


async def read(client: Client, conversation: str, seq: int) -> None:
    """Mark messages read."""
    mark = """mutation ($id: ID!, $seq: Int!) {
        markRead(input: { conversationId: $id, upToSeq: $seq }) { errors { __typename } } }"""
    assert (await client.run(mark, id=conversation, seq=seq))["markRead"]["errors"] == []
