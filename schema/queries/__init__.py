"""Everything that can be asked, a module for each noun."""

import strawberry

from schema.queries.conversations import ConversationQueries
from schema.queries.limits import RateLimitQueries
from schema.queries.nodes import NodeQueries
from schema.queries.reports import ReportQueries
from schema.queries.search import SearchQueries
from schema.queries.statistics import StatisticsQueries
from schema.queries.users import UserQueries
from schema.queries.viewer import ViewerQueries


@strawberry.type(description="Everything that can be asked.")
class Query(
    ViewerQueries,
    NodeQueries,
    ConversationQueries,
    UserQueries,
    RateLimitQueries,
    SearchQueries,
    StatisticsQueries,
    ReportQueries,
):
    pass
