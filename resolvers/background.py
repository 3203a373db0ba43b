"""All the jobs of a serving process."""

from collections.abc import Iterator

from resolvers import attachments, dispatching, limits, search, statistics
from resolvers.jobs import Job
from resolvers.retention import LogTrimmer, MessageTrimmer
from resolvers.service import Service


def jobs(service: Service) -> Iterator[Job]:
    yield from dispatching.jobs(service)
    yield limits.job(service)
    yield service.attendance.job
    yield service.watchers.job
    yield search.job(service.database, service.policy.search_language)
    yield statistics.job(service.database)
    if service.policy.log_retention_days:
        yield LogTrimmer(service.database, service.policy.log_retention_days).job
    direct_days, group_days = service.policy.retention_direct_days, service.policy.retention_group_days
    if direct_days or group_days:
        yield MessageTrimmer(service.database, direct_days=direct_days, group_days=group_days).job
    yield from attachments.jobs(service)
