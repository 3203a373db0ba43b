"""Permits: every mutation takes one before it does anything, in this one place."""

from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import signature
from typing import Any, cast

from graphql import get_named_type, is_abstract_type, is_object_type
from strawberry.types.base import get_object_definition
from strawberry.types.fields.resolver import StrawberryResolver

from resolvers import limits
from resolvers.errors import RateLimited, RefusedError, TooManyRequestsError
from schema.context import Info
from schema.pages import given

Resolver = Callable[..., Awaitable[Any]]

_ERROR = "RateLimitedError"


def limited(mutation: type) -> type:
    """The type of all mutations, each of which takes a permit. (Messages take theirs where they are sent.)"""
    for field in get_object_definition(mutation, strict=True).fields:
        name = _camel(field.python_name)
        if field.base_resolver is not None and name != limits.MESSAGES:
            field.base_resolver = StrawberryResolver(_limited(name, cast("Resolver", field.base_resolver.wrapped_func)))
    return mutation


def _limited(kind: str, resolve: Resolver) -> Resolver:
    outcome = signature(resolve).return_annotation

    @wraps(resolve)
    def take_first(self: object, info: Info, **arguments: Any) -> Awaitable[Any]:  # noqa: ANN401
        if limits.rate(info.context.service, info.context.caller, kind) is None:
            return resolve(self, info, **arguments)
        return take(self, info, arguments)

    async def take(self: object, info: Info, arguments: dict[str, Any]) -> Any:  # noqa: ANN401
        try:
            await limits.take(info.context.service, info.context.caller, kind, _key(arguments.get("input")))
        except RefusedError as refusal:
            if _is_told_as_data(info):
                return outcome(errors=refusal.errors)
            (error,) = refusal.errors
            wait = error.retry_after_ms if isinstance(error, RateLimited) else 0
            raise TooManyRequestsError(error.message, wait) from refusal
        return await resolve(self, info, **arguments)

    return take_first


def _key(given_input: Any) -> str | None:  # noqa: ANN401  (any input)
    """The clientMessageId of an input, or of the message in it."""
    first = given(getattr(given_input, "first_message", None))
    return given(getattr(first or given_input, "client_message_id", None))


def _is_told_as_data(info: Info) -> bool:
    """Whether the errors of the mutation's payload may be of this one's type."""
    schema, payload = info._raw_info.schema, get_named_type(info._raw_info.return_type)  # noqa: SLF001
    errors = get_named_type(payload.fields["errors"].type) if is_object_type(payload) else None
    return is_abstract_type(errors) and _ERROR in {each.name for each in schema.get_possible_types(errors)}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
