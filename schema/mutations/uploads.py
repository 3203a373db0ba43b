"""Uploading files."""

from dataclasses import dataclass, field
from typing import Annotated

import strawberry

from db import rows
from resolvers import attachments
from resolvers.attachments import NewUpload
from resolvers.errors import RefusedError, UserError
from schema.attachments import Attachment
from schema.context import Info
from schema.errors import CreateUploadError
from schema.mutations.outcomes import ERRORS, INPUT


@strawberry.input(description="A file to upload.")
class CreateUploadInput:
    filename: str = strawberry.field(description="What it is to be called; no path.")
    content_type: str = strawberry.field(description="What it is: `image/png`. What is uploaded is looked into.")
    size: int = strawberry.field(description="Bytes.")
    checksum: str = strawberry.field(description="Its SHA-256, as 64 lower-case hexadecimal digits.")

    def row(self) -> NewUpload:
        return NewUpload(self.filename, self.content_type, self.size, self.checksum)


@dataclass(frozen=True, slots=True)
class Header:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """What became of an announcement."""

    attachment: rows.Attachment | None = None
    upload_url: str | None = None
    method: str | None = None
    headers: list[Header] = field(default_factory=list)
    errors: tuple[UserError, ...] = ()


@strawberry.type(description="A header of an HTTP request.")
class UploadHeader:
    name: str = strawberry.field(description="What it is called.")
    value: str = strawberry.field(description="What it says.")


@strawberry.type(
    description="Where and how a file is to be uploaded. All but `headers` is null where there are errors."
)
class CreateUploadPayload:
    attachment: Attachment | None = strawberry.field(
        description="The attachment that the file becomes: send its id with a message."
    )
    upload_url: str | None = strawberry.field(
        description="Where the file goes, as the body of one request: these bytes and no others, and for a while. It may "
        "begin with the path, and counts then from the address of this API."
    )
    method: str | None = strawberry.field(description="The method of that request.")
    headers: list[UploadHeader] = strawberry.field(
        description="The headers that it has to have; no token is among them."
    )
    errors: list[CreateUploadError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Uploading files.")
class UploadMutations:
    @strawberry.mutation(
        description="Announce a file that is to be sent with a message, and learn where to upload it.",
        graphql_type=CreateUploadPayload,
    )
    async def create_upload(
        self,
        info: Info,
        input: Annotated[CreateUploadInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> UploadOutcome:
        context = info.context
        try:
            created = await attachments.create(context.service, context.caller, input.row())
        except RefusedError as refusal:
            return UploadOutcome(errors=refusal.errors)
        upload = created.upload
        headers = [Header(name, value) for name, value in upload.headers.items()]
        return UploadOutcome(created.attachment, upload.url, upload.method, headers)
