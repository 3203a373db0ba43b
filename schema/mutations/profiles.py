"""What people say of themselves."""

from typing import Annotated, Any

import strawberry
from strawberry import UNSET

from resolvers import profiles
from resolvers.errors import RefusedError
from resolvers.profiles import Change
from schema import loading
from schema.context import Info
from schema.errors import UpdateProfileError
from schema.mutations.outcomes import ERRORS, INPUT, Outcome
from schema.pages import given
from schema.users import User


@strawberry.input(description="What to change of one's own profile; what is left out stays.")
class UpdateProfileInput:
    name: str | None = strawberry.field(
        default=UNSET, description="What to call one, whatever the tokens say from now on; null: what they say."
    )
    avatar_url: str | None = strawberry.field(
        default=UNSET,
        description="The address of a picture, whatever the tokens say from now on; empty: none; null: what they say.",
    )
    shares_presence: bool | None = strawberry.field(
        default=UNSET, description="Whether others see when one is online and was last."
    )

    def row(self) -> Change:
        return Change(
            name=given(self.name),
            takes_back_name=self.name is None,
            avatar_url=given(self.avatar_url),
            takes_back_avatar=self.avatar_url is None,
            shares_presence=given(self.shares_presence),
        )


async def _user(root: strawberry.Parent[Outcome], info: Info) -> Any:  # noqa: ANN401  (a row; the field's annotation is its GraphQL type)
    return await loading.find_user(info, root.user_key) if root.user_key else None


@strawberry.type(description="One's own profile, after it was changed.")
class UpdateProfilePayload:
    user: User | None = strawberry.field(
        description="The viewer as everybody sees them now; null where there are errors.",
        resolver=_user,
        graphql_type=User | None,
    )
    errors: list[UpdateProfileError] = strawberry.field(description=ERRORS)


@strawberry.type(description="One's own profile.")
class ProfileMutations:
    @strawberry.mutation(
        description="Change one's own name, picture, or whether others see when one is online.",
        graphql_type=UpdateProfilePayload,
    )
    async def update_profile(
        self,
        info: Info,
        input: Annotated[UpdateProfileInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context = info.context
        try:
            await profiles.update(context.service, context.viewer, input.row())
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(user_key=context.viewer.key)
