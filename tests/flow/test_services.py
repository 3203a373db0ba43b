"""What the host application says itself, with a token that has the role `service`."""

import pytest

from tests.flow.client import Client, Json, Parley
from tests.flow.editing import cursor, edit, edited, log, look, refused, sent

pytestmark = pytest.mark.usefixtures("common_server")

SEND = """mutation ($input: SendMessageInput!) { sendMessage(input: $input) { deduplicated conversation { id }
    message { id seq kind body sender { handle } status mentions { handle } replyTo { body } }
    errors { __typename ... on UserError { code path } } } }"""


@pytest.fixture
def service(parley: Parley) -> Client:
    """The host application, which is a participant nowhere."""
    return parley.user("host", roles=("service",))


async def send(client: Client, conversation: str, kind: str, **more: object) -> Json:
    """The payload."""
    content = {"body": "Your order was shipped", "kind": kind, **more}
    data = await client.run(SEND, input={"to": {"conversationId": conversation}, **content})
    payload: Json = data["sendMessage"]
    return payload


async def test_a_notification(service: Client, ada: Client, grace: Client) -> None:
    """It takes its place among the messages, once per key, with the application as its sender."""
    conversation = await ada.start(grace)
    question = await sent(ada, conversation, "Where is it?")
    start = await cursor(ada, conversation)
    content = {"clientMessageId": "k", "replyToId": question, "body": f"On its way, @{ada.handle}"}
    payload = await send(service, conversation, "NOTIFICATION", **content)
    assert payload == {
        "deduplicated": False,
        "conversation": None,  # which the application does not see
        "message": {
            "id": payload["message"]["id"],
            "seq": 2,
            "kind": "NOTIFICATION",
            "body": content["body"],
            "sender": {"handle": service.handle},
            "status": "SENT",
            "mentions": [{"handle": ada.handle}],
            "replyTo": {"body": "Where is it?"},
        },
        "errors": [],
    }
    repeated = await send(service, conversation, "NOTIFICATION", **content)
    assert repeated == payload | {"deduplicated": True}
    entries = await log(ada, conversation, start, "... on MessageSent { message { id kind } }")
    assert [entry["message"] for entry in entries] == [{"id": payload["message"]["id"], "kind": "NOTIFICATION"}]
    unread = "query ($id: ID!) { conversation(id: $id) { viewerState { unreadCount } participants { totalCount } } }"
    assert (await grace.run(unread, id=conversation))["conversation"] == {
        "viewerState": {"unreadCount": 2},
        "participants": {"totalCount": 2},
    }


async def test_what_the_system_says(service: Client, ada: Client, grace: Client) -> None:
    """It has no sender, and nobody edits it."""
    conversation = await ada.start(grace)
    payload = await send(service, conversation, "SYSTEM")
    assert payload["message"]["sender"] is None
    message = payload["message"]["id"]
    assert await look(ada, message, "kind sender { handle } viewerCanEdit") == {
        "kind": "SYSTEM",
        "sender": None,
        "viewerCanEdit": False,
    }
    assert await edit(service, message, "x") == refused("NotFoundError", "NOT_FOUND", "messageId")


async def test_an_application_that_is_a_participant(parley: Parley, service: Client, ada: Client) -> None:
    """It edits what it said, as the application alone: not what the system said, and not with an ordinary token."""
    conversation = await service.start(ada)
    notification = (await send(service, conversation, "NOTIFICATION"))["message"]["id"]
    system = (await send(service, conversation, "SYSTEM"))["message"]["id"]
    assert (await edited(service, notification, "Your order has arrived"))["body"] == "Your order has arrived"
    denied = refused("PermissionDeniedError", "PERMISSION_DENIED", "messageId")
    assert await edit(service, system, "x") == denied
    assert await edit(parley.user("host"), notification, "x") == denied


async def test_who_may_speak_so(service: Client, ada: Client, grace: Client) -> None:
    """Nobody without the role; with it, where there is a conversation, and as a person only where one is a participant."""
    conversation = await ada.start(grace)
    await sent(ada, conversation, "one")
    nothing: Json = {"deduplicated": False, "conversation": None}
    assert await send(ada, conversation, "SYSTEM") == nothing | refused(
        "PermissionDeniedError", "PERMISSION_DENIED", "kind"
    )
    none = nothing | refused("NotFoundError", "NOT_FOUND", "to", "conversationId")
    assert await send(service, conversation, "TEXT") == none
    unknown = conversation[:-6] + "AAAAAA"
    assert await send(service, unknown, "NOTIFICATION") == none
    target = (await look(ada, await sent(ada, await ada.start(grace, title="other"), "x"), "id"))["id"]
    assert await send(service, conversation, "NOTIFICATION", replyToId=target) == nothing | refused(
        "NotFoundError", "NOT_FOUND", "replyToId"
    )
