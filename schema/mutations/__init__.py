"""Everything that can be done, a module for each noun."""

import strawberry

from schema.mutations.blocking import BlockingMutations
from schema.mutations.editing import EditingMutations
from schema.mutations.groups import GroupMutations
from schema.mutations.pins import PinMutations
from schema.mutations.profiles import ProfileMutations
from schema.mutations.rates import limited
from schema.mutations.reactions import ReactionMutations
from schema.mutations.receipts import ReceiptMutations
from schema.mutations.reporting import ReportingMutations
from schema.mutations.scheduling import SchedulingMutations
from schema.mutations.sending import SendingMutations
from schema.mutations.starting import StartingMutations
from schema.mutations.typing import TypingMutations
from schema.mutations.uploads import UploadMutations
from schema.mutations.viewer_states import ViewerStateMutations


@limited
@strawberry.type(description="Everything that can be done.")
class Mutation(
    StartingMutations,
    SendingMutations,
    SchedulingMutations,
    EditingMutations,
    ReceiptMutations,
    TypingMutations,
    ReactionMutations,
    UploadMutations,
    BlockingMutations,
    ReportingMutations,
    GroupMutations,
    ViewerStateMutations,
    PinMutations,
    ProfileMutations,
):
    pass
