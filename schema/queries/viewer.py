"""Who is asking."""

import strawberry

from resolvers import conversations
from schema.asked import asked
from schema.context import Info
from schema.viewer import Viewer, ViewerRow


@strawberry.type(description="Who is asking.")
class ViewerQueries:
    @strawberry.field(description="Who is asking.", graphql_type=Viewer)
    async def viewer(self, info: Info) -> ViewerRow:
        viewer = info.context.viewer
        unread = (0, 0)
        if asked(info).has_any("unreadCount", "unreadConversationCount"):
            unread = await conversations.unread(info.context.service, viewer)
        return ViewerRow(viewer, *unread, event_cursor=info.context.event_cursor or "")
