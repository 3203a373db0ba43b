"""All of it or nothing: every row that a mutation writes is made to fail in the database, one after the other."""

import asyncio

import pytest

from resolvers import background
from tests.flow.client import Client, Json, Parley
from tests.flow.database import everything, run

# Counts the rows a transaction writes, in all tables, and fails at the one whose number stands in the table. The
# deferred trigger adds one step more: the commit itself.
SABOTAGE = """
    CREATE TABLE public.sabotage AS SELECT 0 AS step;
    CREATE FUNCTION public.sabotage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE
        step int := coalesce(nullif(current_setting('sabotage.step', true), ''), '0')::int + 1;
    BEGIN
        PERFORM set_config('sabotage.step', step::text, true);
        IF step = (SELECT s.step FROM public.sabotage s) THEN
            RAISE EXCEPTION 'step % of % is sabotaged', step, TG_TABLE_NAME;
        END IF;
        RETURN NEW;
    END $$;
    DO $$
    DECLARE name text;
    BEGIN
        FOR name IN SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = 'parley' LOOP
            EXECUTE format('CREATE TRIGGER sabotage BEFORE INSERT OR UPDATE OR DELETE ON parley.%I '
                           'FOR EACH ROW EXECUTE FUNCTION public.sabotage()', name);
        END LOOP;
    END $$;
    CREATE CONSTRAINT TRIGGER sabotage_commit AFTER INSERT ON parley.conversations DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION public.sabotage();
"""

START = """mutation ($input: StartConversationInput!) {
    startConversation(input: $input) { wasCreated errors { __typename } } }"""
SEND = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { deduplicated errors { __typename } } }"

MESSAGE = {"body": "hi", "clientMessageId": "k"}
GROUP_ROWS = (
    3 + 1 + 1 + 3 + 4 + 1
)  # members, conversation, event, participants; conversation, message, event, receipt; key
DIRECT_ROWS = 1 + 2 + 1 + 1 + 2 + 4 + 1  # the pair before the rest
SENT_ROWS = DIRECT_ROWS - 1  # no key of a start


@pytest.fixture(autouse=True)
def _no_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server does by itself would take steps, and leave something behind."""
    monkeypatch.setattr(background, "jobs", lambda _service: ())


@pytest.mark.parametrize(
    ("query", "steps"), [("group", GROUP_ROWS + 1), ("direct", DIRECT_ROWS + 1), ("send", SENT_ROWS + 1)]
)
async def test_a_step_that_fails_leaves_nothing_behind(
    parley: Parley, ada: Client, grace: Client, linus: Client, query: str, steps: int
) -> None:
    """Whichever row cannot be written, or the commit: INTERNAL, every table is as before, and a repeat then succeeds."""
    people = [await client.id() for client in (grace, linus)]
    await ada.id()
    document, request = {
        "group": (START, {"participantIds": people, "title": "Crew", "firstMessage": MESSAGE}),
        "direct": (START, {"participantIds": people[:1], "firstMessage": MESSAGE}),
        "send": (SEND, {"to": {"userId": people[0]}, **MESSAGE}),
    }[query]
    await run(parley.database_url, SABOTAGE)
    before = await everything(parley.database_url)

    failed = 0
    while True:
        await run(parley.database_url, f"UPDATE public.sabotage SET step = {failed + 1}")
        answer: Json = await ada.post(document, input=request)
        if "errors" not in answer:
            break
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"]
        assert await everything(parley.database_url) == before, f"step {failed + 1} left something behind"
        failed += 1

    assert failed == steps
    assert next(iter(answer["data"].values()))["errors"] == []
    assert await everything(parley.database_url) != before


async def test_a_send_that_fails_leaves_nothing_behind(parley: Parley, ada: Client, grace: Client) -> None:
    """A message to a conversation writes four rows; without any one of them there is none, and seq has no hole."""
    conversation = await ada.start(grace)
    await ada.send(conversation, "first")
    await run(parley.database_url, SABOTAGE)
    before = await everything(parley.database_url)
    request = {"to": {"conversationId": conversation}, **MESSAGE}
    for step in range(1, 5):
        await run(parley.database_url, f"UPDATE public.sabotage SET step = {step}")
        answer = await ada.post(SEND, input=request)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"]
        assert await everything(parley.database_url) == before, f"step {step} left something behind"
    await run(parley.database_url, "UPDATE public.sabotage SET step = 5")
    assert (await ada.send(conversation, **MESSAGE))["message"]["seq"] == 2


async def test_a_step_that_fails_is_felt_by_none_but_its_own(parley: Parley, ada: Client, grace: Client) -> None:
    """Sends that come together share a transaction; where that fails each has one of its own, with steps of its own."""
    conversation = await ada.start(grace)
    await run(parley.database_url, SABOTAGE)
    before = await everything(parley.database_url)

    async def send(*keys: str) -> list[Json]:
        to = {"conversationId": conversation}
        requests = [{"to": to, "body": key, "clientMessageId": key} for key in keys]
        return await asyncio.gather(*(ada.post(SEND, input=request) for request in requests))

    for step in range(1, 5):
        await run(parley.database_url, f"UPDATE public.sabotage SET step = {step}")
        failed = await send(*"abcd")
        assert [answer["errors"][0]["extensions"]["code"] for answer in failed] == ["INTERNAL"] * 4
        assert await everything(parley.database_url) == before, f"step {step} left something behind"
    for step in range(5, 17):
        await run(parley.database_url, f"UPDATE public.sabotage SET step = {step}")
        sent = await send(*(f"{step}{letter}" for letter in "abcd"))
        assert sent == [{"data": {"sendMessage": {"deduplicated": False, "errors": []}}}] * 4
    assert (await ada.send(conversation, "last"))["message"]["seq"] == 12 * 4 + 1
