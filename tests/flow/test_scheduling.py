"""Messages that are sent later: in time, once, or FAILED with a reason."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from db import attachments
from db.pool import Database
from tests.flow import database
from tests.flow.client import PATIENCE, Client, Json, Parley
from tests.flow.membership import remove
from tests.flow.test_attachments import upload

pytestmark = pytest.mark.usefixtures("common_server")

SCHEDULED = """id body format sendAt status clientMessageId createdAt failure { code message } recipient { handle }
    conversation { id messageCount } replyTo { body } message { seq body sender { handle } clientMessageId }"""
ERRORS = "errors { __typename ... on UserError { code path } ... on ScheduleConflictError { original { body } } }"
SCHEDULE, RESCHEDULE, CANCEL = (
    f"mutation ($input: {name[0].upper()}{name[1:]}Input!) {{ "
    f"{name}(input: $input) {{ deduplicated scheduledMessage {{ {SCHEDULED} }} {ERRORS} }} }}"
    for name in ("scheduleMessage", "rescheduleMessage", "cancelScheduledMessage")
)
FOLLOW = """subscription ($id: ID!) { conversationEvents(conversationId: $id) {
    __typename at actor { handle } ... on MessageSent { message { seq body clientMessageId } } } }"""
LIST = f"""query ($first: Int, $after: String, $status: [ScheduledMessageStatus!]) {{ viewer {{
    scheduledMessages(first: $first, after: $after, status: $status) {{
        nodes {{ {SCHEDULED} }} edges {{ cursor }} pageInfo {{ hasNextPage endCursor }} }} }} }}"""


def later(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def schedule(client: Client, body: str = "hello", **more: object) -> Json:
    """The payload."""
    data = await client.run(SCHEDULE, input={"body": body, "sendAt": later(3600), **more})
    payload: Json = data["scheduleMessage"]
    return payload


async def find(client: Client, id_: str) -> Json:
    data = await client.run(
        f"query ($id: ID!) {{ node(id: $id) {{ ... on ScheduledMessage {{ {SCHEDULED} }} }} }}", id=id_
    )
    found: Json = data["node"]
    return found


async def change(client: Client, mutation: str, **given: object) -> Json:
    data = await client.run(mutation, input=given)
    (payload,) = data.values()
    found: Json = payload
    return found


async def settled(client: Client, id_: str) -> Json:
    """The scheduled message once it is pending no more."""
    async with asyncio.timeout(PATIENCE):
        while (found := await find(client, id_))["status"] == "PENDING":
            pass
    return found


async def test_it_is_sent_at_its_time(ada: Client, grace: Client) -> None:
    """Not before, within two seconds, and told as any message is; what it answers and its key go with it."""
    conversation = await ada.start(grace)
    question = (await grace.send(conversation, "question"))["message"]["id"]
    async with grace.socket() as socket:
        operation = await socket.subscribe(FOLLOW, id=conversation)
        at = datetime.now(UTC) + timedelta(seconds=1)
        payload = await schedule(
            ada,
            to={"conversationId": conversation},
            sendAt=at.isoformat(),
            format="MARKDOWN",
            clientMessageId="k",
            replyToId=question,
        )
        assert payload["errors"] == []
        pending = payload["scheduledMessage"]
        event = (await socket.next(operation))["conversationEvents"]
    assert (pending["status"], pending["message"], pending["conversation"]["messageCount"]) == ("PENDING", None, 1)
    assert event["message"] == {"seq": 2, "body": "hello", "clientMessageId": "k"}
    assert timedelta() <= datetime.fromisoformat(event["at"]) - at < timedelta(seconds=2)
    assert await find(ada, pending["id"]) == pending | {
        "status": "SENT",
        "conversation": {"id": conversation, "messageCount": 2},
        "message": {"seq": 2, "body": "hello", "clientMessageId": "k", "sender": {"handle": ada.handle}},
    }
    assert await find(grace, pending["id"]) is None


async def test_to_a_user_the_conversation_is_made_at_its_time(ada: Client, grace: Client) -> None:
    """Until then nobody knows of it, the sender included."""
    payload = await schedule(ada, to={"userId": await grace.id()}, sendAt=later(1))
    pending = payload["scheduledMessage"]
    before = await grace.run("{ conversations { totalCount } }")
    sent = await settled(ada, pending["id"])
    after = await grace.run("{ conversations { nodes { lastMessage { body } } } }")
    assert (pending["conversation"], pending["recipient"]) == (None, {"handle": grace.handle})
    assert before == {"conversations": {"totalCount": 0}}
    assert (sent["status"], sent["conversation"]["messageCount"]) == ("SENT", 1)
    assert after == {"conversations": {"nodes": [{"lastMessage": {"body": "hello"}}]}}


async def test_what_cannot_be_scheduled(ada: Client, grace: Client, linus: Client) -> None:
    """Each with its code and its place in the input, and nothing is scheduled."""
    conversation = await ada.start(grace)
    other = await grace.start(linus)
    foreign = (await grace.send(other, "elsewhere"))["message"]["id"]
    here = {"conversationId": conversation}
    refused = [
        [(error["code"], error["path"][1:]) for error in (await schedule(ada, **given))["errors"]]
        for given in (
            {"to": here, "sendAt": later(-1)},
            {"to": here, "sendAt": later(366 * 86_400)},
            {"to": here, "body": " ", "clientMessageId": ""},
            {"to": {"conversationId": other}},
            {"to": {"userId": await ada.id()}},
            {"to": here, "replyToId": foreign},
        )
    ]
    listed = await ada.run(LIST)
    assert refused == [
        [("VALIDATION_ERROR", ["sendAt"])],
        [("VALIDATION_ERROR", ["sendAt"])],
        [("VALIDATION_ERROR", ["body"]), ("VALIDATION_ERROR", ["clientMessageId"])],
        [("NOT_FOUND", ["to", "conversationId"])],
        [("VALIDATION_ERROR", ["to", "userId"])],
        [("NOT_FOUND", ["replyToId"])],
    ]
    assert listed["viewer"]["scheduledMessages"]["nodes"] == []


async def test_a_time_needs_its_offset(ada: Client, grace: Client) -> None:
    """What could be any hour of the day is refused with the request."""
    conversation = await ada.start(grace)
    answer = await ada.post(
        SCHEDULE, input={"to": {"conversationId": conversation}, "body": "x", "sendAt": "2030-01-01T12:00:00"}
    )
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_key_schedules_once(ada: Client, grace: Client) -> None:
    """A repeat answers with the first; other content is a conflict that carries it."""
    conversation = await ada.start(grace)
    given: Json = {"to": {"conversationId": conversation}, "clientMessageId": "k", "sendAt": later(3600)}
    first, again = await schedule(ada, **given), await schedule(ada, **given)
    other = await schedule(ada, "other", **given)
    assert (first["deduplicated"], again["deduplicated"]) == (False, True)
    assert again["scheduledMessage"] == first["scheduledMessage"]
    assert other["errors"] == [
        {
            "__typename": "ScheduleConflictError",
            "code": "IDEMPOTENCY_CONFLICT",
            "path": ["input", "clientMessageId"],
            "original": {"body": "hello"},
        }
    ]


async def test_it_can_be_changed_and_cancelled(ada: Client, grace: Client) -> None:
    """As long as it is not sent: afterwards both are refused. Nobody else may."""
    conversation = await ada.start(grace)
    key = (await schedule(ada, to={"conversationId": conversation}))["scheduledMessage"]["id"]
    dropped = (await schedule(ada, to={"conversationId": conversation}))["scheduledMessage"]["id"]
    foreign = await change(grace, RESCHEDULE, scheduledMessageId=key, body="mine")
    past = await change(ada, RESCHEDULE, scheduledMessageId=key, sendAt=later(-1))
    cancelled = [await change(ada, CANCEL, scheduledMessageId=dropped) for _ in range(2)]
    changed = await change(ada, RESCHEDULE, scheduledMessageId=key, body="better", sendAt=later(1.1))
    sent = await settled(ada, key)
    late = [await change(ada, mutation, scheduledMessageId=key) for mutation in (RESCHEDULE, CANCEL)]
    page = await grace.run(
        "query ($id: ID!) { conversation(id: $id) { messages { nodes { body } } } }", id=conversation
    )

    assert [error["code"] for error in foreign["errors"]] == ["NOT_FOUND"]
    assert [error["path"] for error in past["errors"]] == [["input", "sendAt"]]
    assert [payload["scheduledMessage"]["status"] for payload in cancelled] == ["CANCELLED"] * 2
    assert (changed["scheduledMessage"]["status"], sent["status"], sent["message"]["body"]) == (
        "PENDING",
        "SENT",
        "better",
    )
    assert [[error["code"] for error in payload["errors"]] for payload in late] == [["VALIDATION_ERROR"]] * 2
    assert page["conversation"]["messages"]["nodes"] == [{"body": "better"}]


async def test_who_may_not_send_any_more_is_told_why(parley: Parley, ada: Client, grace: Client) -> None:
    """It FAILED with the code that sendMessage would give; it can be tried again."""
    conversation = await ada.start(grace, title="group")
    key = (await schedule(ada, to={"conversationId": conversation}))["scheduledMessage"]["id"]
    await remove(ada, conversation, ada)
    await change(ada, RESCHEDULE, scheduledMessageId=key, sendAt=later(1))
    failed = await settled(ada, key)
    again = await change(ada, RESCHEDULE, scheduledMessageId=key, sendAt=later(3600))
    assert (failed["status"], failed["failure"]["code"], failed["message"]) == ("FAILED", "NOT_FOUND", None)
    assert (again["scheduledMessage"]["status"], again["scheduledMessage"]["failure"]) == ("PENDING", None)


async def test_the_list_is_by_time_what_is_to_come_first(ada: Client, grace: Client) -> None:
    """Page by page, and by status."""
    conversation = await ada.start(grace)
    for seconds in (500, 300, 100, 400, 200):
        payload = await schedule(ada, str(seconds), to={"conversationId": conversation}, sendAt=later(seconds))
        if seconds in {100, 300}:
            await change(ada, CANCEL, scheduledMessageId=payload["scheduledMessage"]["id"])
    bodies: list[str] = []
    after = None
    while True:
        page = (await ada.run(LIST, first=2, after=after))["viewer"]["scheduledMessages"]
        bodies += [node["body"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    pending = (await ada.run(LIST, status=["PENDING"]))["viewer"]["scheduledMessages"]["nodes"]
    assert bodies == ["200", "400", "500", "100", "300"]
    assert [node["body"] for node in pending] == ["200", "400", "500"]


async def test_files_go_with_it(parley: Parley, ada: Client, grace: Client) -> None:
    """They are kept for it, however old they are; those in a message already are refused."""
    conversation = await ada.start(grace)
    file, sent = [(await upload(ada))["id"] for _ in range(2)]
    await ada.send(conversation, "now", attachmentIds=[sent])
    to = {"conversationId": conversation}
    used = await schedule(ada, to=to, attachmentIds=[sent])
    pending = (await schedule(ada, "", to=to, attachmentIds=[file]))["scheduledMessage"]
    opened = await Database.open(parley.database_url, pool_size=1)
    async with opened.system() as connection:
        await attachments.forget_unsent(connection, 0, 1_000)
    await opened.close()
    await change(ada, RESCHEDULE, scheduledMessageId=pending["id"], sendAt=later(1))
    await settled(ada, pending["id"])
    files = await grace.run(
        "query ($id: ID!) { conversation(id: $id) { lastMessage { seq attachments { id } } } }", id=conversation
    )
    asked = "query ($id: ID!) { node(id: $id) { ... on ScheduledMessage { attachments { id } } } }"
    assert len(used["errors"]) == 1
    assert files["conversation"]["lastMessage"] == {"seq": 2, "attachments": [{"id": file}]}
    assert await ada.run(asked, id=pending["id"]) == {"node": {"attachments": [{"id": file}]}}


async def test_a_fault_puts_it_off(parley: Parley, ada: Client, grace: Client) -> None:
    """What fails for no reason of its own is tried again, and holds up nobody else."""
    conversation = await ada.start(grace)
    name = f"broken_{await ada.id()}".replace("-", "_").lower()
    await database.run(
        parley.database_url,
        f"""CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
        CREATE TRIGGER {name} BEFORE INSERT ON parley.messages FOR EACH ROW WHEN (NEW.body = '{name}')
        EXECUTE FUNCTION {name}()""",
    )
    broken = (await schedule(ada, name, to={"conversationId": conversation}, sendAt=later(1)))["scheduledMessage"]
    sound = (await schedule(ada, to={"conversationId": conversation}, sendAt=later(1.1)))["scheduledMessage"]
    assert (done := await settled(ada, sound["id"]))["status"] == "SENT", done
    assert (await find(ada, broken["id"]))["status"] == "PENDING"
    await database.run(parley.database_url, f"DROP FUNCTION {name} CASCADE")
    assert (done := await settled(ada, broken["id"]))["status"] == "SENT", done
    assert done["message"]["seq"] == 2
