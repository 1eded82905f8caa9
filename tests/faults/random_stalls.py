"""Servers that stall at random, and how long a reading of a whole chart then takes on real sockets.

Run ``make soak`` (or ``python -m tests.faults.random_stalls``) for a thousand, with their spread.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE))  # as pytest has it

from fault_chart import Chart  # noqa: E402
from fault_plays import Asked, Script, Step, head, text  # noqa: E402
from fault_runs import PATIENT, example, rules  # noqa: E402
from fault_server import FaultServer  # noqa: E402

from cds_service.errors import GatherError  # noqa: E402
from cds_service.gather.chart import read_chart  # noqa: E402
from cds_service.gather.client import FhirClient  # noqa: E402
from cds_service.gather.deadline import Deadline  # noqa: E402
from cds_service.gather.origin import Origin  # noqa: E402
from cds_service.gather.transport import Transport, make_session  # noqa: E402


def stalling(rng: random.Random, chart: Chart, longest: float, size: int | None = None) -> Script:
    """Answer rightly, in pieces, with pauses of up to ``longest`` seconds between them, in headers as in bodies."""

    def script(asked: Asked) -> Iterable[Step]:
        name = asked.path.partition("/")[2]
        body = text(chart.answer(asked)[0] if name else chart.searchset(asked, size=size))
        chunked = rng.random() < 0.3
        first = head(transfer_encoding="chunked") if chunked else head(content_length=len(body))
        data = first + (b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body)
        for _ in range(rng.randint(1, 12)):
            yield rng.choice((0.0, 0.01, 0.1, 0.5, 1.0)) * longest * rng.random()
            cut = rng.randint(1, max(1, len(data) - 1))
            piece, data = data[:cut], data[cut:]
            yield piece
        yield rng.choice((0.0, longest))
        yield data

    return script


def measured(count: int, seconds: float, at_once: int, seed: int) -> list[float]:
    """Read the chart so many times while the server stalls; how long each took beyond the deadline, in seconds."""
    chart = Chart(example())
    rules()  # loaded before anything is timed

    def one(number: int) -> float:
        rng = random.Random(seed + number)
        with FaultServer(stalling(rng, chart, 3 * seconds)) as server:
            started = time.monotonic()
            transport = Transport(make_session(), Deadline.after(seconds), 2**20)
            with suppress(GatherError):  # when the Patient itself was late
                read_chart({}, rules().plan, PATIENT, FhirClient(Origin.of(server.base), transport, "token"))
            return time.monotonic() - started - seconds

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, range(count)))


def main(count: int = 1000) -> None:
    over = sorted(measured(count, 0.5, 8, seed=0))
    cuts = statistics.quantiles(over, n=100)
    late = [one for one in over if one > 1.0]
    print(f"{count} charts from a server that stalls at random, deadline 0.5 s, 8 at once; seconds beyond it:")
    spread = {"median": cuts[49], "90 %": cuts[89], "99 %": cuts[98], "latest": over[-1]}
    print(", ".join(f"{name} {value:.3f}" for name, value in spread.items()) + f"; {len(late)} beyond 1 s")
    sys.exit(1 if late else 0)


if __name__ == "__main__":
    main()
