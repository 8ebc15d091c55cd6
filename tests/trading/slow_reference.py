"""The slow, obvious twin of the opening-range table: one date, one bar, one rule at a time."""

from datetime import UTC, datetime, timedelta
from math import nan
from zoneinfo import ZoneInfo


def slow_ranges(bars, market, orb):
    """Dictionaries of the public columns of every range, without the vectors of the product."""
    rows = [
        dict(at=int(t), o=float(o), h=float(h), l=float(low), c=float(c))
        for t, o, h, low, c in zip(
            bars.time, bars.open, bars.high, bars.low, bars.close, strict=True
        )
    ]
    width, data_end = bars.width, rows[-1]["at"] + bars.width
    length = width
    while length < orb.minutes * 60 * 10**9:
        length += width
    found = []
    for one in market.ranges:
        zone = ZoneInfo(one.zone)
        day = datetime.fromtimestamp(rows[0]["at"] / 1e9, UTC).date() - timedelta(days=1)
        last = datetime.fromtimestamp(data_end / 1e9, UTC).date() + timedelta(days=1)
        while day <= last:
            opened, due = (_instant(day, wall, zone) for wall in (one.open, one.window_end))
            inside = [r for r in rows if opened <= r["at"] < opened + length]
            if inside and opened + length <= data_end:
                window = [r for r in rows if r["at"] >= opened + length and r["at"] + width <= due]
                row = _range(one.name, day, opened, due, length, width, inside, orb)
                if data_end >= due and row["valid"]:
                    _trade(row, window, orb, market.cost, width)
                found.append(row)
            day += timedelta(days=1)
    return sorted(found, key=lambda r: r["open_at"])


def _instant(day, wall, zone):
    hours, minutes = map(int, wall.split(":"))
    day, hours = (day + timedelta(days=1), 0) if hours == 24 else (day, hours)
    local = datetime(day.year, day.month, day.day, hours, minutes, tzinfo=zone)
    return int(local.timestamp()) * 10**9


def _range(name, day, opened, due, length, width, inside, orb):
    high, low = max(r["h"] for r in inside), min(r["l"] for r in inside)
    enough = len(inside) * width >= orb.coverage * length
    valid = inside[0]["at"] == opened and enough and high > low
    row = dict.fromkeys(["entry", "stop", "target", "exit", "r_gross", "r_net", "mfe", "mae"], nan)
    return row | dict(
        range=name, date=day.isoformat(), open_at=opened, available_at=opened + length,
        due_at=due, high=high, low=low, close=inside[-1]["c"], bars=len(inside), valid=valid,
        side=None, break_at=None, exit_at=None, exit_reason=None, known_at=None, flagged=False,
    )  # fmt: skip


def _trade(row, window, orb, cost, width):
    row |= dict(side="NONE", known_at=row["due_at"])
    high, low = row["high"], row["low"]
    for i, bar in enumerate(window):
        up = (bar["h"] if orb.mode == "touch" else bar["c"]) > high
        down = (bar["l"] if orb.mode == "touch" else bar["c"]) < low
        if up and down:
            loss = (cost.points + cost.bp / 1e4 * (high + low) / 2) / (
                orb.stop_fraction * (high - low)
            )
            row |= dict(
                side="AMBIGUOUS", break_at=bar["at"], exit_at=bar["at"], exit_reason="ambiguous",
                r_gross=-1.0, r_net=-1.0 - loss, known_at=bar["at"] + width, flagged=True,
            )  # fmt: skip
            return
        if up or down:
            row |= dict(side="UP" if up else "DOWN", break_at=bar["at"])
            first = i if orb.mode == "touch" else i + 1
            if first < len(window):
                _walk(row, window[first:], 1 if up else -1, orb, cost, width)
            return


def _walk(row, bars, side, orb, cost, width):
    level = row["high"] if side > 0 else row["low"]
    entry = bars[0]["o"]
    if orb.mode == "touch":
        entry = max(level, entry) if side > 0 else min(level, entry)
    stop = level - side * orb.stop_fraction * (row["high"] - row["low"])
    if side * (entry - stop) <= 0:
        return
    risk = abs(entry - stop)
    target = entry + side * orb.k * risk
    for i, bar in enumerate(bars):
        best, worst = (bar["h"], bar["l"]) if side > 0 else (bar["l"], bar["h"])
        stopped = side * (worst - stop) <= 0
        reached = i > 0 and side * (best - target) >= 0
        if i > 0 and side * (bar["o"] - stop) <= 0:
            price, why, both = bar["o"], "stop", False
        elif i > 0 and side * (bar["o"] - target) >= 0:
            price, why, both = bar["o"], "target", False
        elif stopped:
            price, why, both = stop, "stop", reached
        elif reached:
            price, why, both = target, "target", False
        elif i == len(bars) - 1:
            price, why, both = bar["c"], "window", False
        else:
            continue
        break
    gross = side * (price - entry) / risk
    after = bars[1 : i + 1]
    ups = [side * ((b["h"] if side > 0 else b["l"]) - entry) / risk for b in after]
    downs = [side * ((b["l"] if side > 0 else b["h"]) - entry) / risk for b in after]
    row |= dict(
        entry=entry, stop=stop, target=target, exit=price, exit_at=bar["at"], exit_reason=why,
        r_gross=gross, r_net=gross - (cost.points + cost.bp / 1e4 * entry) / risk,
        mfe=max(ups, default=nan), mae=min(downs, default=nan), flagged=both,
        known_at=row["due_at"] if why == "window" else bar["at"] + width,
    )  # fmt: skip
