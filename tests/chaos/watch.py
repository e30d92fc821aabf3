"""How soon the work that was disturbed goes on: each chunk that was held, until its next commit."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from catalog.database import reading
from catalog.models import Chunk, Image, Run


@dataclass(frozen=True)
class Held:
    """A leased chunk: its fencing token, and how many of its images wait."""

    token: str | None
    waiting: int


@dataclass(frozen=True)
class Look:
    """What the catalog says at one moment."""

    done: int  # images of the run
    is_over: bool
    held: Mapping[int, Held]
    waiting: Mapping[int, int]  # images of the chunks that were asked for


@dataclass
class Disturbed:
    """A chunk that was held when something happened."""

    held: Held
    kind: str
    since_s: float


@dataclass(frozen=True)
class Recovery:
    """What happened to a chunk, and how long after it, or after a server's return, its next commit came."""

    chunk_id: int
    kind: str
    seconds: float


class Watch:
    """Every chunk that was held at a disturbance, until its images get fewer."""

    def __init__(self) -> None:
        self._disturbed: dict[int, Disturbed] = {}
        self._away_since_s: dict[str, float] = {}  # of each server that is away
        self.recovered: list[Recovery] = []

    @property
    def chunk_ids(self) -> list[int]:
        """The chunks that are waited for."""
        return list(self._disturbed)

    def disturb(self, kind: str, held: Mapping[int, Held], *, now_s: float) -> int:
        """Something happened while these were held; how many of them were not waited for yet.

        All that are held, not only the victim's: the others' go on within a second, and the longest counts.
        """
        new = 0
        for chunk_id, hold in held.items():
            known = self._disturbed.get(chunk_id)
            if known is None or known.held.token != hold.token:
                self._disturbed[chunk_id] = Disturbed(hold, kind, now_s)
                new += 1
        return new

    def lose_server(self, name: str, *, now_s: float) -> None:
        """A server that all work needs is away: until it returns nothing can be late."""
        self._away_since_s.setdefault(name, now_s)

    def return_server(self, name: str, *, now_s: float) -> None:
        """From now on it is there again."""
        self._away_since_s.pop(name, None)
        self.begin_anew(now_s=now_s)

    def begin_anew(self, *, now_s: float) -> None:
        """Only from now on can work go on at all."""
        for disturbed in list(self._disturbed.values()):
            disturbed.since_s = now_s

    def look(self, look: Look, *, now_s: float) -> list[Recovery]:
        """What went on since the last look."""
        new = []
        counted_s = min([now_s, *self._away_since_s.values()])
        for chunk_id in [id_ for id_ in self._disturbed if id_ in look.waiting]:
            disturbed = self._disturbed[chunk_id]
            if look.waiting[chunk_id] < disturbed.held.waiting or not look.waiting[chunk_id]:
                del self._disturbed[chunk_id]
                new.append(Recovery(chunk_id, disturbed.kind, max(0.0, counted_s - disturbed.since_s)))
        self.recovered += new
        return new


def look_at_catalog(engine: Engine, run_id: int, chunk_ids: list[int]) -> Look:
    """How the run stands, which chunks are held, and how many images wait in those and in the given ones."""
    with reading(engine) as session:
        run = session.get_one(Run, run_id)
        tokens = {row.id: row.token for row in
                  session.execute(select(Chunk.id, Chunk.token).where(Chunk.state == "leased"))}  # fmt: skip
        asked = sorted({*tokens, *chunk_ids})
        counts = select(Image.chunk_id, func.count()).where(Image.chunk_id.in_(asked)).group_by(Image.chunk_id)
        found = {row[0]: row[1] for row in session.execute(counts)}
        waiting = {chunk_id: found.get(chunk_id, 0) for chunk_id in asked}
        held = {chunk_id: Held(token, waiting[chunk_id]) for chunk_id, token in tokens.items()}
        return Look(run.tagged + run.review + run.failed, run.finished_at is not None, held, waiting)
