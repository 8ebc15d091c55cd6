"""Long work as a row: a job, its child process, its progress, and the lease that keeps it alone.

A job's name is resolved to a function elsewhere (`operations/work`); this room knows rows,
processes and time, not what the work is.
"""

from mlcore.jobs.leases import Lease
from mlcore.jobs.processes import is_process_alive, process_started
from mlcore.jobs.queue import ENDED, Job, Jobs

__all__ = ["ENDED", "Job", "Jobs", "Lease", "is_process_alive", "process_started"]
