"""Jobs of SLURM."""

from __future__ import annotations

import contextlib
import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from moo.benchmarks.engines.again import WorkerDiedError, until_all_have_ended
from moo.benchmarks.running.on_disk import RUNNING, Status, Task
from moo.benchmarks.running.one_cell import Job
from moo.benchmarks.running.slots import NONE
from moo.checks import check_count, unknown_name

SECONDS = 0.5  # between two looks at what has ended
CELLS_PER_JOB = 10  # an interpreter with torch takes seconds to start
CLUSTERS = ("slurm", "local")


class Slurm:
    """Runs cells as job arrays of SLURM, by submitit: each array job runs its share of the cells one after the other.

    This program stays and watches: statuses are read from the suite's folder, which all nodes reach under the same
    path, and what died with a job is submitted again. After Ctrl-C the jobs are cancelled. What sbatch reads of its
    environment holds (SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT, ...).

    Args:
        workers: Array jobs; None: one for each ten cells.
        minutes: That one job may take.
        cluster: `"slurm"`, or `"local"`: processes of this machine in its place.

    Raises:
        TypeError, ValueError: An option is not what it should be.
    """

    needs: ClassVar[tuple[str, ...]] = ("submitit",)
    options: ClassVar[Mapping[str, str]] = {"minutes": "that one job may take", "cluster": "slurm or local"}

    def __init__(self, workers: int | None = None, minutes: Any = 240, cluster: str = "slurm") -> None:
        if cluster not in CLUSTERS:
            raise ValueError(unknown_name("cluster", cluster, CLUSTERS))
        self._workers, self._minutes, self._cluster = workers, check_count("minutes", minutes), cluster

    def run(self, tasks: Sequence[Task], job: Job) -> Iterator[Status]:
        place = job.out / RUNNING / f"jobs-{job.life}"

        def call(some: Sequence[Task]) -> Iterator[Status]:
            yield from self._watch(self._submit(some, job, str(place)), job)

        try:
            yield from until_all_have_ended(tasks, job, call)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _submit(self, tasks: Sequence[Task], job: Job, place: str) -> list[_Share]:
        """One array for the cells on CPUs, one for those that need a GPU."""
        import submitit

        shares = []
        for gpu in (False, True):
            pool = [task for task in tasks if task.gpu == gpu]
            if not pool:
                continue
            count = min(len(pool), self._workers or math.ceil(len(pool) / CELLS_PER_JOB))
            dealt = [list(pool[i::count]) for i in range(count)]
            executor = submitit.AutoExecutor(place, cluster=self._cluster)
            executor.update_parameters(name="moo", timeout_min=self._minutes, gpus_per_node=int(gpu), cpus_per_task=1)
            alone = replace(job, slots=NONE)  # SLURM deals out the GPUs
            submitted = executor.map_array(_run_share, [alone] * count, dealt)
            shares += [_Share(*pair) for pair in zip(submitted, dealt, strict=True)]
        return shares

    def _watch(self, shares: list[_Share], job: Job) -> Iterator[Status]:
        """Statuses as cells end.

        Raises:
            WorkerDiedError: Of jobs that ended before all of their cells had.
        """
        died = ""
        try:
            while shares:
                time.sleep(SECONDS)
                for share in list(shares):
                    over = share.submitted.done()  # looked at before the disk: afterwards nothing is written
                    yield from share.ended(job)
                    if over:
                        shares.remove(share)
                        yield from share.told()
                        died = share.death() or died
        finally:
            for share in shares:
                share.submitted.cancel(check=False)
        if died:
            raise WorkerDiedError(died)


@dataclass
class _Share:
    """An array job, and the cells of it that have not ended."""

    submitted: Any
    left: list[Task]

    def ended(self, job: Job) -> Iterator[Status]:
        """What has a record by now."""
        for task in list(self.left):
            if (status := job.ended(task)) is not None:
                self.left.remove(task)
                yield status

    def told(self) -> Iterator[Status]:
        """Of a job that is over, how cells without a record ended: `busy`, or with a full disk."""
        with contextlib.suppress(Exception):  # it died: `death` says how
            for status in self.submitted.result() if self.left else ():  # submitit waits 15 s for one that is not there
                for task in [task for task in self.left if task.cell == status.cell]:
                    self.left.remove(task)
                    yield status

    def death(self) -> str:
        """How a job died that has left cells behind; empty where none is."""
        return f"job {self.submitted.job_id} ended before its cells had" if self.left else ""


def _run_share(job: Job, tasks: Sequence[Task]) -> list[Status]:
    return [job(task) for task in tasks]
