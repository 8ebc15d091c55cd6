"""The slow, obvious twin of the facts frame: one decision, one bar, one rule at a time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean
from zoneinfo import ZoneInfo

SECOND = 10**9
HOUR = 3600 * SECOND


def instant(day, wall, zone):
    hours, minutes = map(int, wall.split(":"))
    local = datetime(day.year, day.month, day.day, hours, minutes, tzinfo=ZoneInfo(zone))
    return int(local.timestamp()) * SECOND


def weekdays(first, last):
    day = datetime.fromtimestamp(first / 1e9, UTC).date() - timedelta(days=2)
    while day <= datetime.fromtimestamp(last / 1e9, UTC).date() + timedelta(days=2):
        if day.weekday() < 5:
            yield day
        day += timedelta(days=1)


def window(rows, start, end, name=""):
    inside = [r for r in rows if start <= r["at"] < end]
    if not inside or start < rows[0]["at"]:
        return None
    return dict(
        name=name, start=start, end=end, open=inside[0]["open"], close=inside[-1]["close"],
        high=max(r["high"] for r in inside), low=min(r["low"] for r in inside),
    )  # fmt: skip


def slow_features(bars, market, table, asked):
    """Feature values of one range of the table `opening_ranges` made, by name."""
    at, opened = asked["available_at"].value, asked["open_at"].value
    names = ("open", "high", "low", "close", "volume")
    rows = [
        dict(at=int(t)) | {n: float(getattr(bars, n)[i]) for n in names}
        for i, t in enumerate(bars.time)
        if bars.available_at[i] <= at
    ]
    own = window(rows, opened, at)
    closed, days, today = surroundings(rows, market, at, opened)
    out = day_values(days, own) | session_values(closed, own, days, at)
    atr = out.pop("atr")
    held = window(rows, today, at)
    out |= {
        "close_in_today": (own["close"] - held["low"]) / (held["high"] - held["low"]),
        "today_return_atr": (own["close"] - held["open"]) / atr,
        "or_size_atr": (own["high"] - own["low"]) / atr,
    }
    for extreme in ("high", "low"):
        since = [r for r in rows if r["at"] >= today]
        made = max(i for i, r in enumerate(since) if r[extreme] == held[extreme])
        out[f"bars_since_today_{extreme}"] = len(since) - 1 - made
    return out | history(rows, table, asked, at, opened)


def surroundings(rows, market, at, opened):
    first, last = rows[0]["at"], rows[-1]["at"]
    closed, days, today = [], [], None
    for day in weekdays(first, last):
        for s in market.sessions:
            start, end = instant(day, s.start, s.zone), instant(day, s.end, s.zone)
            for name, a, b in ((s.name, start, end), (f"pre_{s.name}", start - 2 * HOUR, start)):
                found = window(rows, a, b, name) if b <= at else None
                closed += [found] if found else []
        start = instant(day - timedelta(days=1), "17:00", "America/New_York")
        end = instant(day, "17:00", "America/New_York")
        found = window(rows, start, end) if end <= at else None
        days += [found] if found else []
        today = start if start <= opened < end else today
    return sorted(closed, key=lambda w: w["end"]), days, today


def day_values(days, own):
    true = [
        max(d["high"], before["close"]) - min(d["low"], before["close"])
        for before, d in pairwise(days)
    ]
    change = [d["close"] - b["close"] for b, d in pairwise(days)][-14:]
    atr = mean(true[-14:])
    return {
        "atr": atr,
        "day_rsi_14": 100 * sum(max(c, 0) for c in change) / sum(abs(c) for c in change),
        "day_volatility_5_to_14": mean(true[-5:]) / atr,
        "day_return_5_atr": (days[-1]["close"] - days[-6]["close"]) / atr,
        "day_trend_20": (days[-1]["close"] - mean(d["close"] for d in days[-20:])) / atr,
        "day_size_atr": (days[-1]["high"] - days[-1]["low"]) / atr,
        "gap_day_atr": (own["open"] - days[-1]["close"]) / atr,
    }


def session_values(closed, own, days, at):
    atr = day_values(days, own)["atr"]
    out = {}
    for name in ("pre_asia", "asia", "pre_london", "london", "pre_new_york", "new_york"):
        last = [w for w in closed if w["name"] == name][-1]
        height = last["high"] - last["low"]
        out |= {
            f"{name}_size_atr": height / atr,
            f"{name}_return_atr": (last["close"] - last["open"]) / atr,
            f"close_in_{name}": (own["close"] - last["low"]) / height,
            f"high_over_{name}": (own["high"] - last["high"]) / atr,
            f"gap_{name}_atr": (own["open"] - last["close"]) / atr,
            f"hours_since_{name}": (at - last["end"]) / HOUR,
        }
    before, last = [w for w in closed if not w["name"].startswith("pre")][-2:]
    up, down = last["high"] > before["high"], last["low"] < before["low"]
    kind = {(0, 0): "consolidation", (1, 0): "sweep_high", (0, 1): "sweep_low"}
    told = "session_" + kind.get((int(up), int(down)), "expansion")
    kinds = (*(f"session_{k}" for k in kind.values()), "session_expansion")
    return out | {k: float(k == told) for k in kinds} | {
        "session_size_atr": (last["high"] - last["low"]) / atr
    }  # fmt: skip


def history(rows, table, asked, at, opened):
    past = [r for r in table.to_dict("records") if r["valid"]]
    same = [r for r in past if r["range"] == asked["range"]]
    before = [r for r in same if r["open_at"].value < opened][-20:]
    due = sorted(
        (r for r in past if r["status"] == "done" and r["due_at"].value <= at),
        key=lambda r: (r["due_at"], r["open_at"]),
    )
    traded = [r for r in due if r["r_net"] == r["r_net"]]
    mine = [r for r in due if r["range"] == asked["range"]]
    day = asked["trading_day"]
    open_days = [d for d in (day - timedelta(days=n) for n in range(9)) if d.weekday() < 5]
    recent = [r for r in traded if r["trading_day"] >= open_days[2]]
    volume = [volume_of(rows, r) for r in before]
    side = {"UP": 1.0, "DOWN": -1.0}
    return {
        "or_size_to_mean_20": (asked["high"] - asked["low"])
        / mean(r["high"] - r["low"] for r in before),
        "or_volume_to_mean_20": volume_of(rows, asked) / mean(volume),
        "last_r": traded[-1]["r_net"],
        "last_r_same": [r for r in mine if r["r_net"] == r["r_net"]][-1]["r_net"],
        "r_3d": sum(r["r_net"] for r in recent) if recent else None,
        "last_break": side.get(due[-1]["side"], 0.0),
        "last_break_same": side.get(mine[-1]["side"], 0.0),
        "mean_r_10_same": mean(r["r_net"] if r["r_net"] == r["r_net"] else 0 for r in mine[-10:]),
        "up_share_10_same": mean(r["side"] == "UP" for r in mine[-10:]),
    }


def volume_of(rows, one):
    a, b = one["open_at"].value, one["available_at"].value
    return sum(r["volume"] for r in rows if a <= r["at"] < b)
