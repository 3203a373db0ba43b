"""All the jobs of a serving process."""

from resolvers.jobs import Job
from resolvers.service import Service


def jobs(service: Service) -> list[Job]:  # noqa: ARG001  (there is none yet)
    return []
