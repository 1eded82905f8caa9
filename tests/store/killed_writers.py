"""Writes to a store again and again, two processes at a time, as a test asks: there to be killed.

Everything is loaded once and the writers are forked, so that a test can kill many within seconds. Argument: the URL of
the store. For each line read two writers begin; their process ids are printed, a line for each change that the store
acknowledged, and at last that both have ended.
"""

import os
import random
import sys
import traceback

from cds_service.errors import EditedMeanwhileError
from cds_service.store import open_store
from cds_service.store.worklist import EntryState, Wanted
from tests.store.made_screenings import NOW, TRIAL, attestation, chart, differs, judged, person

WRITERS = 2


def write(url: str, name: str) -> None:
    """Make changes, each with a name of its own, and say so after each."""
    worklist, draw, number = open_store(url).worklist, random.Random(name), 0
    mine = worklist.take(person(0), chart(), [judged("candidate", gate=f"{name}-first")], differs=differs, now=NOW)
    while True:
        number += 1
        change = f"{name}-{number}"
        entry = worklist.entry(mine[TRIAL])
        assert entry is not None
        what = draw.choice(["take", "again", "note", "decide", "attest"])
        try:
            if what in ("take", "again"):
                who = person(draw.randrange(1, 9))
                new = judged(draw.choice(["candidate", "excluded"]), gate=change)
                for _ in range(2 if what == "again" else 1):  # as a run that is taken twice
                    mine = worklist.take(who, chart(change), [new], differs=differs, now=NOW)
            elif what == "note":
                worklist.note(entry.id, text=change, who="Li", now=NOW)
            elif what == "decide":
                state = draw.choice(list(EntryState))
                worklist.decide(entry.id, entry.version, state=state, reason=change, who="Li", now=NOW)
            else:
                worklist.attest(entry.id, entry.version, attestation(reason=change), now=NOW)
        except EditedMeanwhileError:
            continue  # by the other writer: this one made no change
        os.write(1, f"{change}\n".encode())


def main() -> None:
    """Do as asked until nobody asks any more."""
    url = sys.argv[1]
    warm = open_store(url)  # what is loaded at the first use is loaded here
    warm.worklist.entries(TRIAL, wanted=Wanted())
    warm.close()
    for line in sys.stdin:
        children = []
        for writer in range(WRITERS):
            child = os.fork()
            if child == 0:
                try:
                    write(url, f"{line.strip()}-{writer}")
                except BaseException:
                    traceback.print_exc()
                    os._exit(3)
            children.append(child)
        os.write(1, f"{' '.join(map(str, children))}\n".encode())
        for child in children:
            os.waitpid(child, 0)
        os.write(1, b"ended\n")


if __name__ == "__main__":
    main()
