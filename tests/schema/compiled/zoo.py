"""A schema in the manner of Parley's, with what Parley's has and more: types over plain rows, interfaces, a union."""

from collections.abc import AsyncIterator
from dataclasses import make_dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry
from graphql import GraphQLInterfaceType, GraphQLNonNull, GraphQLObjectType, GraphQLSchema
from strawberry.extensions import FieldExtension, SchemaExtension
from strawberry.schema.config import StrawberryConfig

from schema.documents import Prepared
from schema.nodes import Node, describes
from schema.scalars import DateTime
from tests.schema.compiled.executors import Executor
from tests.schema.compiled.recipes import Raise
from tests.schema.compiled.trials import Context, Schema

Info = strawberry.Info[Context, None]


@strawberry.enum
class Mood(Enum):
    HAPPY = strawberry.enum_value("HAPPY", description="The row has its name.")
    SULKY = strawberry.enum_value("SULKY", deprecation_reason="Passed.")
    WILD = strawberry.enum_value("WILD")


@strawberry.enum
class Size(Enum):
    """The row has its value, which is not its name."""

    SMALL = 1
    LARGE = 2


class Chip(str):
    """Stands for a scalar that is hard to please."""

    __slots__ = ()


def _serialize_chip(value: Any) -> Any:
    if value == "broken":
        raise ValueError("This chip is broken.")
    return {"chip": [value]} if isinstance(value, str) else None


ChipScalar = strawberry.scalar(name="Chip", serialize=_serialize_chip)
Seconds = strawberry.scalar(name="DateTime", serialize=lambda moment: moment.timestamp())


@strawberry.input
class Options:
    limit: int = 3
    moods: list[Mood] | None = None
    label: str | None = strawberry.UNSET


_ANIMAL = (
    "id", "name", "nick_name", "is_awake", "weight", "leg_count", "mood", "moods", "size", "born_at", "chip", "tags", "seen",
    "loud_name", "renamed", "home", "cages", "mate", "friends", "crowds", "greeting", "keeper", "rival", "offspring", "visitors",
)  # fmt: skip
Bird: type = make_dataclass("Bird", [*_ANIMAL, "wing_span"], slots=True)
Creature: type = make_dataclass("Creature", [*_ANIMAL, "species", "depth"])
Keeper: type = make_dataclass("Keeper", ["id", "name", "animals", "favourite", "boss", "cages"], slots=True)
Cage: type = make_dataclass("Cage", ["label", "area", "tags", "inside", "keeper"], slots=True)
Root: type = make_dataclass(
    "Root",
    [
        "animal",
        "animals",
        "exhibits",
        "nodes",
        "cage",
        "cages",
        "found",
        "keepers",
        "count",
        "feed",
        "move",
        "fed",
        "happened",
        "name",
    ],
)


def moody(row: Any) -> type:
    """Such rows whose attributes are properties, which may raise."""

    def attribute(name: str) -> property:
        def get(self: Any) -> Any:
            value = self.__dict__[name]
            if isinstance(value, Raise):
                raise value.error()
            return value

        def put(self: Any, value: Any) -> None:
            self.__dict__[name] = value

        return property(get, put)

    return type(f"Moody{row.__name__}", (row,), {name: attribute(name) for name in row.__dataclass_fields__})


def _value(root: Any, info: Info, *arguments: Any) -> Any:
    """What the row has for this field; the call is noted with all that a resolver can know."""
    raw = info._raw_info
    seen = (raw.parent_type.name, str(raw.return_type), raw.field_name, tuple(raw.path.as_list()))
    nodes = tuple(node.loc.start for node in raw.field_nodes if node.loc)
    name = raw.operation.name.value if raw.operation.name else None
    fragments = tuple(raw.fragments)
    selected = repr(info.selected_fields)
    info.context.calls.append(
        (*seen, nodes, name, fragments, repr(raw.variable_values), selected, type(raw.root_value), repr(arguments))
    )
    value = getattr(root, info.python_name)
    if isinstance(value, Raise):
        raise value.error()
    return value


async def _value_later(root: Any, info: Info, *arguments: Any) -> Any:
    await info.context.clock.turn(repr(info.path.as_list()))
    return _value(root, info, *arguments)


def _plain(root: strawberry.Parent[Any], info: Info) -> Any:
    return _value(root, info)


async def _plain_later(root: strawberry.Parent[Any], info: Info) -> Any:
    return await _value_later(root, info)


def _greeting(
    root: strawberry.Parent[Any], info: Info, times: int = 1, prefix: str | None = None, mood: Mood | None = None
) -> Any:
    return _value(root, info, times, prefix, mood)


async def _offspring(root: strawberry.Parent[Any], info: Info, first: int | None = strawberry.UNSET) -> Any:
    return await _value_later(root, info, first)


def _found(root: strawberry.Parent[Any], info: Info, id: strawberry.ID, options: Options | None = None) -> Any:  # noqa: A002
    return _value(root, info, id, options)


async def _move(
    root: strawberry.Parent[Any], info: Info, to: Annotated[str, strawberry.argument(name="where")], options: Options
) -> Any:
    return await _value_later(root, info, to, options)


LazyAnimal = Annotated["AnimalType", strawberry.lazy(__name__)]
LazyKeeper = Annotated["KeeperType", strawberry.lazy(__name__)]
LazyCage = Annotated["CageType", strawberry.lazy(__name__)]


class Loudly(FieldExtension):
    """What is done around a field that has no resolver."""

    def resolve(self, next_: Any, source: Any, info: Any, **arguments: Any) -> Any:
        value = next_(source, info, **arguments)
        return value.upper() if isinstance(value, str) else value


@strawberry.interface(name="Animal")
class AnimalType(Node):
    name: str
    nick_name: str | None
    is_awake: bool
    weight: float | None
    leg_count: int
    mood: Mood
    moods: list[Mood] | None
    size: Size | None
    born_at: datetime | None
    chip: Chip | None
    tags: list[str | None]
    seen: list[list[int | None]] | None
    loud_name: str | None = strawberry.field(extensions=[Loudly()])
    renamed: str | None = strawberry.field(name="otherwise")
    home: "CageType"
    cages: "list[CageType | None] | None"
    mate: "AnimalType | None"
    friends: "list[AnimalType]"
    crowds: "list[list[AnimalType | None]] | None"
    greeting: str = strawberry.field(resolver=_greeting, graphql_type=str)
    keeper: "KeeperType" = strawberry.field(resolver=_plain, graphql_type=LazyKeeper)
    rival: "AnimalType | None" = strawberry.field(resolver=_plain, graphql_type=LazyAnimal | None)
    offspring: "list[AnimalType]" = strawberry.field(resolver=_offspring, graphql_type=list[LazyAnimal])
    visitors: "list[KeeperType] | None" = strawberry.field(resolver=_plain_later, graphql_type=list[LazyKeeper] | None)


@strawberry.type(name="Bird")
class BirdType(AnimalType):
    is_type_of = describes(Bird)

    wing_span: float


@strawberry.type
class Fish(AnimalType):
    is_type_of = describes(Creature, species="Fish")

    depth: int | None


@strawberry.type
class Crab(AnimalType):
    is_type_of = describes(Creature, species="Crab")


@strawberry.type(name="Keeper")
class KeeperType(Node):
    is_type_of = describes(Keeper)

    name: str
    animals: list[AnimalType | None]
    favourite: AnimalType | None
    boss: "KeeperType | None"
    cages: "list[CageType | None] | None"


Exhibit = Annotated[BirdType | Fish | KeeperType, strawberry.union("Exhibit")]


@strawberry.type(name="Cage", description="Takes whatever comes.")
class CageType:
    label: str
    area: float
    tags: list[str | None]
    inside: list[Exhibit | None]
    keeper: KeeperType


@strawberry.type
class Query:
    animal: AnimalType
    animals: list[AnimalType] | None
    exhibits: list[Exhibit | None]
    nodes: list[Node | None] | None
    cage: CageType | None
    cages: list[CageType | None] | None
    name: str
    count: int = strawberry.field(resolver=_plain, graphql_type=int)
    found: Node | None = strawberry.field(resolver=_found, graphql_type=Node | None)
    keepers: list[KeeperType] = strawberry.field(resolver=_plain_later, graphql_type=list[KeeperType])


@strawberry.type
class Mutation:
    name: str
    feed: str = strawberry.field(resolver=_greeting, graphql_type=str)
    move: AnimalType | None = strawberry.field(resolver=_move, graphql_type=AnimalType | None)
    fed: list[Exhibit | None] = strawberry.field(resolver=_plain, graphql_type=list[Exhibit | None])


async def _none() -> AsyncIterator[Any]:
    """Events are executed one by one, as the fan-out does it; nobody asks for the stream itself."""
    yield None


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def happened(self) -> AsyncIterator[AnimalType]:
        async for event in _none():
            yield event

    @strawberry.subscription
    async def opened(self) -> AsyncIterator[CageType | None]:
        async for event in _none():
            yield event


class Watched(SchemaExtension):
    """Notes each field that is resolved."""

    def resolve(self, _next: Any, root: Any, info: Any, *args: str, **kwargs: Any) -> Any:
        info.context.calls.append(("resolved", tuple(info.path.as_list())))
        return _next(root, info, *args, **kwargs)


def build(executor: type[Executor], variant: str) -> Schema:
    """One of three schemas with the same names: "plain"; "other" has other types, "watched" another way to resolve."""
    moments = Seconds if variant == "other" else DateTime
    built: Schema = Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[BirdType, Fish, Crab],
        config=StrawberryConfig(scalar_map={datetime: moments, Chip: ChipScalar}),
        extensions=[lambda: Prepared(built.documents), *([Watched] if variant == "watched" else [])],
        execution_context_class=executor,
    )
    if variant == "other":
        _alter(built._schema)
    return built


def _alter(raw: GraphQLSchema) -> None:
    """Every third field may be null if it might not, and may not if it might."""
    objects = [it for it in raw.type_map.values() if isinstance(it, GraphQLObjectType | GraphQLInterfaceType)]
    own = [it for it in objects if not it.name.startswith("__")]
    for name in sorted({name for type_ in own for name in type_.fields})[::3]:
        for field_ in (type_.fields[name] for type_ in own if name in type_.fields):
            field_.type = (
                field_.type.of_type if isinstance(field_.type, GraphQLNonNull) else GraphQLNonNull(field_.type)
            )
