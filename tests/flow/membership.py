"""People come to a conversation, and go from it, as clients have it done."""

from tests.flow.client import Client, Json

_ERRORS = "errors { __typename ... on UserError { code message path } }"
_PARTICIPANTS = f"""{{ conversation {{ id participants(first: 100) {{ nodes {{ role user {{ handle }} }} }} }}
    {_ERRORS} }}"""


async def _change(client: Client, name: str, kind: str, values: Json) -> Json:
    """The payload, errors included."""
    query = f"mutation ($input: {kind}!) {{ {name}(input: $input) {_PARTICIPANTS} }}"
    payload: Json = (await client.run(query, input=values))[name]
    return payload


async def add(client: Client, conversation: str, *people: Client) -> Json:
    ids = [await each.id() for each in people]
    values = {"conversationId": conversation, "participantIds": ids}
    return await _change(client, "addParticipants", "AddParticipantsInput", values)


async def remove(client: Client, conversation: str, user: Client) -> Json:
    values = {"conversationId": conversation, "userId": await user.id()}
    return await _change(client, "removeParticipant", "RemoveParticipantInput", values)


async def set_role(client: Client, conversation: str, user: Client, role: str) -> Json:
    values = {"conversationId": conversation, "userId": await user.id(), "role": role}
    return await _change(client, "setParticipantRole", "SetParticipantRoleInput", values)


async def update(client: Client, conversation: str, **values: object) -> Json:
    query = f"""mutation ($input: UpdateConversationInput!) {{ updateConversation(input: $input) {{
        conversation {{ id title history }} {_ERRORS} }} }}"""
    payload: Json = (await client.run(query, input={"conversationId": conversation, **values}))["updateConversation"]
    return payload


def roles(payload: Json) -> dict[str, str]:
    """Who is in it, by handle."""
    assert payload["errors"] == []
    return {each["user"]["handle"]: each["role"] for each in payload["conversation"]["participants"]["nodes"]}


def refusal(payload: Json) -> tuple[str, str]:
    """The type of the one error, and the last step of its path."""
    (error,) = payload["errors"]
    assert payload["conversation"] is None
    return error["__typename"], error["path"][-1]
