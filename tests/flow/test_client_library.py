"""A client library that others wrote: gql, over HTTP and websockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import gql
import pytest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from tests.flow.client import PATIENCE, Client, Json, Parley

pytestmark = pytest.mark.usefixtures("common_server")

FOLLOW = gql.gql(
    """subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
        __typename cursor ... on MessageSent { message { seq body sender { handle } } } } }"""
)
CURSOR = gql.gql("query ($id: ID!) { conversation(id: $id) { eventCursor } }")
SEND = gql.gql(
    """mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
        message { seq body } errors { ... on UserError { code } } } }"""
)


@asynccontextmanager
async def over_http(parley: Parley, client: Client) -> AsyncIterator[AsyncClientSession]:
    """A session that fetched the schema and checks every document against it before it is sent."""
    transport = HTTPXAsyncTransport(f"{parley.url}/graphql", headers={"Authorization": f"Bearer {client.token}"})
    async with gql.Client(transport=transport, fetch_schema_from_transport=True) as session:
        yield session


@asynccontextmanager
async def over_websocket(parley: Parley, client: Client) -> AsyncIterator[AsyncClientSession]:
    transport = WebsocketsTransport(
        parley.url.replace("http", "ws") + "/graphql",
        init_payload={"Authorization": f"Bearer {client.token}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    async with gql.Client(transport=transport, fetch_schema_from_transport=True) as session:
        yield session


def on(document: gql.GraphQLRequest, **variables: object) -> gql.GraphQLRequest:
    """The request with its variables."""
    return gql.GraphQLRequest(document, variable_values=variables)


async def test_a_subscription_receives_what_is_sent_meanwhile(parley: Parley, ada: Client, grace: Client) -> None:
    """Ada follows over a websocket; grace sends over HTTP; ada has it."""
    conversation = await ada.start(grace)
    async with over_websocket(parley, ada) as socket, over_http(parley, grace) as http:
        cursor = (await socket.execute(on(CURSOR, id=conversation)))["conversation"]["eventCursor"]
        events = socket.subscribe(on(FOLLOW, id=conversation, after=cursor))
        received = asyncio.create_task(anext(events))
        sent = await http.execute(on(SEND, input={"to": {"conversationId": conversation}, "body": "hello"}))
        event: Json = await asyncio.wait_for(received, PATIENCE)
        await events.aclose()
    assert sent == {"sendMessage": {"message": {"seq": 1, "body": "hello"}, "errors": []}}
    assert event["conversationEvents"] == {
        "__typename": "MessageSent",
        "cursor": event["conversationEvents"]["cursor"],
        "message": {"seq": 1, "body": "hello", "sender": {"handle": grace.handle}},
    }


async def test_queries_and_mutations_over_the_websocket(parley: Parley, ada: Client, grace: Client) -> None:
    """One socket carries them all."""
    conversation = await ada.start(grace)
    async with over_websocket(parley, ada) as session:
        for number in (1, 2, 3):
            sent = await session.execute(
                on(SEND, input={"to": {"conversationId": conversation}, "body": f"message {number}"})
            )
            assert sent["sendMessage"]["message"] == {"seq": number, "body": f"message {number}"}


async def test_errors_reach_the_caller(parley: Parley, ada: Client) -> None:
    """With their code and requestId."""
    async with over_http(parley, ada) as session:
        with pytest.raises(TransportQueryError) as caught:
            await session.execute(gql.gql('{ conversation(id: "x") { id } }'))
    (error,) = caught.value.errors or []
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["requestId"]
