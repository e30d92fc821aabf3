"""Messages in the queue that were not ours, counted by day and reason: a flood of them makes few rows."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.models import RefusedMessage
from catalog.statements import upsert


def add_refusals(session: Session, counts: Mapping[str, int], *, now: datetime) -> None:
    """Add to the day's counts by reason."""
    day, rows = now.date(), [{"reason": reason} for reason in sorted(counts)]
    upsert(session, RefusedMessage, rows, keys=("day", "reason"), update=(), alike={"day": day, "messages": 0})
    for row in rows:
        found = session.get_one(RefusedMessage, (day, row["reason"]), with_for_update=True)
        found.messages += counts[found.reason]


def recent_refusals(session: Session, *, now: datetime) -> dict[str, int]:
    """How many were refused today and yesterday, by reason."""
    return _sum(session, since=now.date() - timedelta(days=1))


def all_refusals(session: Session) -> dict[str, int]:
    """How many were ever refused, by reason."""
    return _sum(session, since=date.min)


def _sum(session: Session, *, since: date) -> dict[str, int]:
    query = select(RefusedMessage.reason, func.sum(RefusedMessage.messages)).where(RefusedMessage.day >= since)
    rows = session.execute(query.group_by(RefusedMessage.reason).order_by(RefusedMessage.reason))
    return {row[0]: int(row[1]) for row in rows}
