"""How much one user, and one socket, may have open."""

from contextlib import AsyncExitStack

from tests.flow.client import Socket
from tests.flow.conftest import serving, stoppable
from tests.flow.test_sockets import FOLLOW, closing, connected
from tests.flow.waiting import until

FULL = (1013, "2 sockets of this user are open on this server; try again later")


async def test_a_user_has_so_many_sockets(database_url: str) -> None:
    """One more is closed with 1013, which clients take for temporary; others are not concerned."""
    async with serving(database_url, max_sockets_per_user=2) as parley:
        ada, grace = parley.user("ada"), parley.user("grace")
        async with ada.socket(), ada.socket(), connected(parley, "graphql-transport-ws") as third, grace.socket():
            await Socket(third).send(type="connection_init", payload={"token": ada.token})
            assert await closing(third) == FULL


async def test_a_socket_that_ends_makes_room(database_url: str) -> None:
    """However it ends."""
    async with AsyncExitStack() as stack:
        parley, server = await stack.enter_async_context(stoppable(database_url, max_sockets_per_user=2))
        ada = parley.user("ada")
        first, second = [await stack.enter_async_context(ada.socket()) for _ in range(2)]
        first.raw.transport.abort()
        await second.raw.send("not JSON")
        assert (await closing(second.raw))[0] == 4400
        await until(lambda: not server.lifespan.state["sockets"].count())
        async with ada.socket(), ada.socket():
            pass


async def test_a_socket_has_so_many_operations(database_url: str) -> None:
    """One more is answered with `error`; when one is over there is room again."""
    async with serving(database_url, max_operations_per_socket=1) as parley:
        ada = parley.user("ada")
        conversation = await ada.start(parley.user("grace"))
        async with ada.socket() as socket:
            operation = await socket.subscribe(FOLLOW, id=conversation)
            await socket.subscribe("{ __typename }")
            (error,) = (await socket.receive())["payload"]
            assert error["message"] == "1 operations are under way on this socket; end one first"
            await socket.send(type="complete", id=operation)
            assert await socket.next(await socket.subscribe("{ __typename }")) == {"__typename": "Query"}
