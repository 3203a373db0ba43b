"""What is compiled answers as graphql-core does, byte for byte: over a schema with all there is, and over Parley's own."""

from functools import cache
from random import Random

import pytest
from graphql import parse, specified_rules, validate
from hypothesis import strategies as st

from tests.schema.compiled import defects, parley, zoo
from tests.schema.compiled.conftest import Hold
from tests.schema.compiled.documents import Atlas, Choices, Document, Operation
from tests.schema.compiled.executors import STOCK, UNDER_TEST, Executor
from tests.schema.compiled.nature import Nature
from tests.schema.compiled.scenarios import scenarios, visit
from tests.schema.compiled.trials import Execution, Scenario, Trial

_BY_TURNS = (("plain", "other"), ("plain", "other"), ("other", "plain"), ("plain", "watched"))


def of_zoo(atlas: Atlas) -> st.SearchStrategy[Scenario]:
    return scenarios(atlas, lambda choices, operation: Nature(atlas, choices).roots(operation), _BY_TURNS)


def of_parley(atlas: Atlas) -> st.SearchStrategy[Scenario]:
    return scenarios(atlas, lambda choices, operation: parley.Nature(choices).roots(operation), [("one", "two")])


@pytest.fixture(scope="module")
def zoo_atlas() -> Atlas:
    return Atlas(zoo.build(STOCK, "plain")._schema)


@pytest.fixture(scope="module")
def parley_atlas() -> Atlas:
    return parley.atlas()


def test_every_selection_of_the_zoo(zoo_atlas: Atlas, hold: Hold) -> None:
    """Whatever is selected, in whatever way, over rows with all that can be wrong with them."""
    hold(Trial(UNDER_TEST, zoo.build, ("plain", "other", "watched")), of_zoo(zoo_atlas), 100)


def test_every_selection_of_parley(parley_atlas: Atlas, hold: Hold) -> None:
    """The types that clients know, over the rows that the database returns."""
    hold(Trial(UNDER_TEST, parley.build, ("one", "two")), of_parley(parley_atlas), 60)


_LISTS = """
query ($size: Int, $isWanted: Boolean!, $isWrong: Boolean!) {
  conversations { nodes { ...Lists } edges { cursor node { ...Lists } } }
  conversation { id ...Lists more: participants(first: $size) { nodes { role } } }
}
fragment Lists on Conversation {
  title
  newest: messages(last: $size) { ...Page }
  first: messages(first: 1) { ...Page }
  messages { totalCount }
  participants(first: 2) @include(if: $isWanted) { totalCount nodes { user { id name } } edges { cursor } }
  wrong: messages(first: $size, aroundSeq: 1, last: 1) @include(if: $isWrong) { totalCount }
}
fragment Page on MessageConnection { totalCount pageInfo { hasPreviousPage endCursor } nodes { id sender { name } } }
"""


def test_lists_that_were_read_along(parley_atlas: Atlas) -> None:
    """Each is what is asked for under its own name, though one and the same selection stands in several places."""
    root = parley_atlas.schema.query_type
    assert root
    operation = Operation(None, "query", root, {"conversations": {}, "conversation": {}}, {}, "")
    trial = Trial(UNDER_TEST, parley.build, ("one", "two"))
    for seed in range(60):
        choices = Choices(Random(seed))  # noqa: S311  (always the same)
        variables = {
            "size": choices.of((None, 1, 3, 3, 0)),
            "isWanted": choices.is_so(60),
            "isWrong": choices.is_so(10),
        }
        roots = parley.Nature(choices).roots(operation)
        trial.judge(Scenario(Document(_LISTS, [operation]), [Execution(operation, variables, roots, ("one", "two"))]))


@pytest.mark.untraced
@pytest.mark.parametrize("of", ["zoo", "parley"])
def test_the_documents_are_valid(of: str, zoo_atlas: Atlas, parley_atlas: Atlas) -> None:
    """Only of those a server executes any; they are not looked at again in each trial, as that takes most of its time."""
    atlas, each = (zoo_atlas, sample()) if of == "zoo" else (parley_atlas, _some(of_parley(parley_atlas), 60))
    for scenario in each[:60]:
        assert validate(atlas.schema, parse(scenario.document.text), specified_rules) == []


@cache
def sample() -> list[Scenario]:
    """The same for every defect."""
    return _some(of_zoo(Atlas(zoo.build(STOCK, "plain")._schema)), 200)


def _some(each: st.SearchStrategy[Scenario], count: int) -> list[Scenario]:
    found: list[Scenario] = []
    visit(each, count, found.append)
    return found


@pytest.mark.untraced
@pytest.mark.parametrize("defect", defects.ALL, ids=lambda defect: defect.__name__)
def test_each_defect_is_found(defect: type[Executor]) -> None:
    """The property can fail: an executor that is wrong in one point does not pass."""
    trial = Trial(defect, zoo.build, ("plain", "other", "watched"))
    with pytest.raises(AssertionError):
        trial.judge_all(sample())


@pytest.mark.untraced
def test_how_long_it_takes_is_no_defect() -> None:
    """Errors of fields that are waited for come in a definite order, in however many turns of the loop."""
    Trial(defects.TakesItsTime, zoo.build, ("plain", "other", "watched")).judge_all(sample())
