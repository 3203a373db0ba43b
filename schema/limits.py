"""Limits on documents, each checked in time linear in the document, before the work that it limits."""

from typing import Any, ClassVar

from graphql import (
    ASTValidationRule,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    ValidationContext,
    ValidationRule,
)

from resolvers.errors import QueryTooComplexError

NUL = "\0"
"""What PostgreSQL cannot store in a text. (Lone surrogates, the other, are refused by both parsers, JSON's and GraphQL's.)"""


ESCAPED_NUL = b"\\u0000"
"""How alone a NUL can be in JSON; an escaped backslash may stand before it, and then it is none."""

NUL_REFUSED = "variables must not contain the NUL character"


def rules(*, max_depth: int, max_fields: int) -> list[type[ASTValidationRule]]:
    """What documents are checked for beside the rules of GraphQL.

    Fragments need not make more fields of a document than it may have tokens, which without them it cannot have anyway.
    """
    return [_size_rule(max_depth, max_fields), StorableText]


class StorableText(ValidationRule):
    """No string in the document holds a NUL."""

    def enter_string_value(self, node: StringValueNode, *_: object) -> None:
        if NUL in node.value:
            self.report_error(GraphQLError("a string must not contain the NUL character", node))


def holds_nul(value: object) -> bool:
    """Whether a NUL is anywhere in a JSON value, which may be nested deeper than functions can call themselves."""
    rest = [value]
    while rest:
        each = rest.pop()
        if isinstance(each, str):
            if NUL in each:
                return True
        elif isinstance(each, dict):
            rest += each
            rest += each.values()
        elif isinstance(each, list):
            rest += each
    return False


class Size(ValidationRule):
    """Fields are not nested too deep, and not too many with all fragments spread.

    Each fragment is measured once: strawberry's QueryDepthLimiter measures it at every spread, and a chain of fragments
    that are spread twice each takes it 2ⁿ steps. Executed, such a chain may have 2ⁿ fields.
    """

    max_depth: ClassVar[int]
    max_fields: ClassVar[int]

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._measured: dict[str, tuple[int, int]] = {}

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        depth, fields = self._measure(node.selection_set)
        if depth > self.max_depth:
            self._refuse(node, f"fields are nested {depth} deep; {self.max_depth} are allowed")
        if fields > self.max_fields:
            self._refuse(node, f"with all fragments spread there are more than the {self.max_fields} fields allowed")

    def _refuse(self, node: OperationDefinitionNode, message: str) -> None:
        self.report_error(GraphQLError(message, node, extensions={"code": QueryTooComplexError.code}))

    def _measure(self, selections: SelectionSetNode | None) -> tuple[int, int]:
        """How deep fields are nested, and how many there are."""
        measured = [self._measure_one(node) for node in (selections.selections if selections else ())]
        return max((depth for depth, _ in measured), default=0), sum(fields for _, fields in measured)

    def _measure_one(self, node: Any) -> tuple[int, int]:  # noqa: ANN401  (a field, or a fragment inline or spread)
        if isinstance(node, FragmentSpreadNode):
            return self._measure_fragment(node.name.value)
        depth, fields = self._measure(node.selection_set)
        is_field = isinstance(node, FieldNode)
        return depth + is_field, fields + is_field

    def _measure_fragment(self, name: str) -> tuple[int, int]:
        if name not in self._measured:
            self._measured[name] = (0, 0)  # what spreads itself is another rule's to refuse
            fragment = self.context.get_fragment(name)
            self._measured[name] = self._measure(fragment.selection_set) if fragment else (0, 0)
        return self._measured[name]


def _size_rule(depth: int, fields: int) -> type[Size]:
    class Limited(Size):
        max_depth = depth
        max_fields = fields

    return Limited
