"""Runs a job again and again, each time in a process of its own, as a test asks: there to be killed.

The rules are loaded once and each run is forked, so that a test can kill many within seconds. Arguments: the source,
the bytes of a part, the workers. Each line read names a run folder; the process id is printed, and after it the exit
status.
"""

import os
import sys
from datetime import date
from pathlib import Path

from cds_service.screening.cohort.job import Job, run
from cds_service.screening.cohort.judged import Task, judge_of
from cds_service.screening.cohort.source import ndjson_source


def main() -> None:
    """Do as asked until nobody asks any more."""
    source, part_bytes, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    task = Task(None, date(2026, 3, 1), charts=True)
    judge_of(task)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            run(Job(task, ndjson_source(source, part_bytes=part_bytes), Path(line.strip())), workers=workers)
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
