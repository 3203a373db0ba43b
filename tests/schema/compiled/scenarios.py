"""Documents with what they are executed over, by chance."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.schema.compiled.documents import Atlas, Author, Choices, Operation, variables_for
from tests.schema.compiled.recipes import Recipe
from tests.schema.compiled.trials import Execution, Scenario

Roots = Callable[[Choices, Operation], list[Recipe]]
"""Makes the root value of an operation, or the events of a subscription."""


@st.composite
def scenarios(draw: Any, atlas: Atlas, roots: Roots, variants: Sequence[Sequence[str]]) -> Scenario:
    """Each execution takes place in several schemas by turns, so that what is kept for one is not taken for the other."""
    choices = Choices(draw(st.randoms(use_true_random=False)))
    author = Author(atlas, choices)
    document = author.document()
    by_turns = choices.of(variants)
    executions = [
        Execution(operation, variables_for(operation, author, choices), roots(choices, operation), by_turns)
        for operation in [*document.operations, choices.of(document.operations)]
    ]
    return Scenario(document, executions)


def visit(
    each: st.SearchStrategy[Scenario], count: int, visitor: Callable[[Scenario], None], *, is_random: bool = False
) -> None:
    """Shows so many of them to a visitor; what it raises is raised for the smallest that can be found."""

    @settings(
        deadline=None,
        max_examples=count,
        derandomize=not is_random,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
    )
    @given(each)
    def show(scenario: Scenario) -> None:
        visitor(scenario)

    show()
