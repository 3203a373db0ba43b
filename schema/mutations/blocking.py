"""Blocking people."""

from typing import Annotated, Any

import strawberry

from db.keys import parse_user_id
from resolvers import blocking
from resolvers.errors import RefusedError
from schema import loading
from schema.context import Info
from schema.errors import BlockUserError
from schema.mutations.outcomes import ERRORS, INPUT, Outcome
from schema.users import User


@strawberry.input(description="Whom to block, or to block no longer.")
class BlockUserInput:
    user_id: strawberry.ID = strawberry.field(description="The user; not the viewer.")


async def _user(root: strawberry.Parent[Outcome], info: Info) -> Any:  # noqa: ANN401  (a row; the field's annotation is its GraphQL type)
    return await loading.find_user(info, root.user_key) if root.user_key else None


@strawberry.type(description="Somebody whom the viewer blocks now, or no longer.")
class BlockUserPayload:
    user: User | None = strawberry.field(
        description="The user as the viewer sees them now; null where there are errors.",
        resolver=_user,
        graphql_type=User | None,
    )
    errors: list[BlockUserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Blocking people.")
class BlockingMutations:
    @strawberry.mutation(
        description="Block somebody: neither of the two starts a conversation with the other or sends to their direct "
        "ones. Groups go on. Nobody is told; again changes nothing.",
        graphql_type=BlockUserPayload,
    )
    async def block_user(
        self,
        info: Info,
        input: Annotated[BlockUserInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, key = info.context, parse_user_id(input.user_id)
        try:
            await blocking.block(context.service, context.viewer, key)
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(user_key=key)

    @strawberry.mutation(
        description="Block somebody no longer. Where they block the viewer too, that stays.",
        graphql_type=BlockUserPayload,
    )
    async def unblock_user(
        self,
        info: Info,
        input: Annotated[BlockUserInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, key = info.context, parse_user_id(input.user_id)
        try:
            await blocking.unblock(context.service, context.viewer, key)
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(user_key=key)
