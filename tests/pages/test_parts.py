"""The look: tokens, verdicts in both forms, escaping, and figures that stay silent below n = 30."""

import doctest
import itertools
import math
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from mlcore.statistics import judge
from pages import _format
from pages import _parts as parts
from pages._theme import MARKS, TOKENS, rgba, style_sheet

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<script>alert(\"x\")</script><img src=x onerror='y'>&"


@dataclass(frozen=True)
class Told:
    """A verdict as the pages receive it."""

    kind: str
    words: str
    n: int
    difference: float = 0.019
    low: float = -0.031
    high: float = 0.069
    worth: float = 0.02
    power: float = 0.2
    more: int | None = None


LIVE = Told("live", "No verdict before the last fold", 700, 0.005, -0.023, 0.033)
VERDICTS = {
    "edge": judge(0.061, 0.029, 0.093, 880, 0.02),
    "none": judge(-0.003, -0.014, 0.008, 3120, 0.02),
    "unsure": judge(0.019, -0.031, 0.069, 213, 0.02),
    "worse": judge(-0.032, -0.059, -0.005, 1404, 0.02),
    "few": judge(0.1, -0.1, 0.3, 12, 0.02),
    "live": LIVE,
}


def svg_of(address: str) -> ElementTree.Element:
    head, body = address.split(",", 1)
    assert head == "data:image/svg+xml;utf8"
    return ElementTree.fromstring(unquote(body))  # noqa: S314


def by_class(svg: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [e for e in svg.iter() if name in e.get("class", "").split()]


def css_left(html: str, name: str) -> float:
    found = re.search(rf'class="{name}[^"]*" style="left:([\d.]+)%', html)
    assert found, name
    return float(found[1])


# --- verdicts


@pytest.mark.parametrize("kind", VERDICTS)
def test_each_verdict_has_its_own_mark_and_sentence(kind):
    verdict = VERDICTS[kind]
    assert verdict.kind == kind
    html = parts.evidence_bar(verdict, "Accuracy", baseline="majority")
    assert f"or-k-{kind}" in html
    assert html.count('role="img"') == 1
    sentence = parts.evidence_sentence(verdict, "Accuracy", baseline="majority")
    assert f'aria-label="{sentence}"' in html
    if kind == "few":
        assert sentence == "Accuracy: 12 of 30 outcomes, too few for a figure."
    else:
        assert sentence.endswith(verdict.words.rstrip(".") + ".")
        assert "against the majority baseline, 95 percent interval" in sentence
        assert f"{MARKS[kind].symbol} {MARKS[kind].brief}" in html


def test_the_sentence_reads_as_one_would_say_it():
    text = parts.evidence_sentence(VERDICTS["edge"], "Accuracy")
    assert text == (
        "Accuracy: +6.1 points against the best baseline, 95 percent interval +2.9 to +9.3, n 880. "
        "Evidence of an edge."
    )


def test_inconclusive_says_how_many_more_and_stops_counting_at_ten_thousand():
    near = Told("unsure", "Inconclusive", 213, more=3990)
    far = Told("unsure", "Inconclusive", 213, more=18_600)
    blank = Told("unsure", "Inconclusive: not yet beyond 40 trials", 900, 0.03, 0.01, 0.05)
    assert "◆ inconclusive: 3,990 more" in parts.evidence_bar(near, "x")
    assert "◆ inconclusive: over 10,000 more" in parts.evidence_bar(far, "x")
    assert "more" not in re.sub("aria-label.*?>", "", parts.evidence_bar(blank, "x"))


@pytest.mark.parametrize("n", [0, 1, 12, 29])
@pytest.mark.parametrize("kind", VERDICTS)
def test_below_30_outcomes_no_form_shows_a_percentage_or_a_difference(kind, n):
    verdict = Told(kind, f"{n} of 30 outcomes", n, 0.777, 0.666, 0.888)
    html = parts.evidence_bar(verdict, "Accuracy", values=(0.75, 0.5), big=True, axis=True)
    svg = unquote(parts.evidence_svg(verdict, "Accuracy", span=0.1))
    banner = parts.verdict_banner(verdict, "Nothing to tell.", html)
    for text in (html, svg, banner):
        seen = re.sub(r"(style|width|height|x|y)=\"[^\"]*\"", "", text)
        assert "%" not in seen
        assert "percent" not in seen
        assert not re.search(r"77\.7|66\.6|88\.8|0\.777", seen)
        assert f"{n} of 30 outcomes" in seen
    assert parts.verdict_chip(verdict) == ["… too few"]
    assert parts.shown_kind(verdict) == "few"


def test_thirty_outcomes_are_enough():
    html = parts.evidence_bar(Told("unsure", "Inconclusive", 30), "A", values=(0.6, 0.5))
    assert "60.0 % vs 50.0 %" in html
    assert "n 30" in html


@pytest.mark.parametrize("kind", ["edge", "none", "unsure", "worse", "live"])
@pytest.mark.parametrize("span", [0.12, 0.05])
def test_html_and_svg_agree(kind, span):
    verdict = VERDICTS[kind]
    html = parts.evidence_bar(verdict, "Accuracy", span=span)
    svg = svg_of(parts.evidence_svg(verdict, "Accuracy", span=span))
    sentence = parts.evidence_sentence(verdict, "Accuracy")
    assert svg.get("aria-label") == sentence
    assert svg.findtext("{http://www.w3.org/2000/svg}title") == sentence
    assert svg.get("role") == "img"
    assert svg.get("class") == f"or-k-{kind}"
    inner = float(svg.get("width")) - 12
    (dot,), (low,), (worth,) = (
        by_class(svg, name) for name in ("or-ev-dot", "or-ev-span", "or-ev-worth")
    )
    for element, at, name in (
        (dot, "data-at", "or-ev-dot"),
        (low, "x", "or-ev-span"),
        (worth, "x1", "or-ev-worth"),
    ):
        place = 100 * (float(element.get(at)) - 6) / inner
        assert place == pytest.approx(css_left(html, name), abs=0.1)
    for cut in ("or-cut-low", "or-cut-high"):
        assert (cut in html) == bool(by_class(svg, cut))
    caps = 2 - html.count("or-cut-low") - html.count("or-cut-high")
    assert len(by_class(svg, "or-ev-cap")) == caps


def test_the_forms_agree_on_too_few():
    svg = svg_of(parts.evidence_svg(VERDICTS["few"], "Accuracy", span=0.1))
    (bar,) = by_class(svg, "or-ev-few")
    width = re.search(r"width:(\d+)%", parts.evidence_bar(VERDICTS["few"], "Accuracy"))
    assert float(bar.get("width")) / (float(svg.get("width")) - 12) == pytest.approx(
        float(width[1]) / 100, abs=0.01
    )


def test_a_whisker_off_the_scale_is_cut_and_its_figure_is_not():
    verdict = Told("unsure", "Inconclusive", 44, 0.31, -0.24, 0.86, 0.1)
    html = parts.evidence_bar(verdict, "Net R", measure=parts.NET_R, span=0.5)
    assert "or-cut-high" in html
    assert "or-cut-low" not in html
    assert "[−0.24, +0.86]" in html


def test_the_shapes_differ_without_their_colours():
    shapes = {}
    for kind in ("edge", "none", "unsure", "worse"):
        svg = svg_of(parts.evidence_svg(VERDICTS[kind], "A", span=0.1))
        (dot,) = by_class(svg, "or-ev-dot")
        shape = dot[0]
        shapes[kind] = (shape.tag.split("}")[1], shape.get("stroke") is not None)
    assert len(set(shapes.values())) == 4
    assert len({mark.symbol for mark in MARKS.values()}) == len(MARKS)


def test_an_unknown_interval_draws_no_whiskers():
    verdict = Told("unsure", "Inconclusive: no interval could be computed", 40, 0.02, math.nan)
    html = parts.evidence_bar(verdict, "Accuracy")
    assert "no interval yet" in html
    assert "or-ev-span" not in html
    assert "nan" not in html


def test_one_scale_serves_a_group_and_one_wide_interval_does_not_flatten_it():
    group = [VERDICTS["edge"], VERDICTS["none"], VERDICTS["few"]]
    assert parts.common_span(group) == pytest.approx(0.12)
    wild = Told("unsure", "Inconclusive", 31, 0.01, -0.9, 0.9)
    assert parts.common_span([*group, wild]) == pytest.approx(0.2)
    assert parts.common_span([]) == 1.0
    assert parts.common_span([VERDICTS["few"]]) == 1.0


def test_the_banner_speaks_the_verdicts_own_words():
    bar = parts.evidence_bar(VERDICTS["unsure"], "Accuracy", big=True, axis=True, brief=False)
    html = parts.verdict_banner(VERDICTS["unsure"], "For study.", bar)
    assert VERDICTS["unsure"].words in html
    assert "or-k-unsure" in html
    assert "¦ +2 worth having" in html
    assert "◆ inconclusive" not in html


# --- figures


def test_the_formats_doctests_hold():
    assert doctest.testmod(_format).failed == 0


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (-3.14, 1, "−3.1"),
        (1234.5, 0, "+1,234"),
        (-0.04, 1, "0.0"),
        (0, 2, "0.00"),
        (None, 1, "—"),
        (math.nan, 1, "—"),
    ],
)
def test_signed_uses_a_true_minus_and_no_sign_for_zero(value, digits, text):
    assert parts.signed(value, digits) == text
    assert "-" not in parts.signed(value, digits)


def test_rates_need_thirty_outcomes_and_points_carry_their_unit():
    assert parts.rate(0.75, 29) == "29 of 30 outcomes"
    assert parts.rate(0.75, 30) == "75.0 %"
    assert parts.points(-0.012) == "−1.2 pp"
    assert parts.percent(None) == "—"
    assert parts.thousands(12345) == "12,345"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(28, "28 s"), (240, "4 min"), (3900, "1 h 05 min"), (7200, "2 h"), (273_600, "3 d 4 h")],
)
def test_durations_name_two_units_at_most(seconds, text):
    assert parts.duration(seconds) == text


def test_missing_values_are_dashes_and_not_a_number():
    import pandas as pd

    table = parts.small_table(
        [parts.Column("a", number=True)] * 4, [[None, math.nan, pd.NaT, pd.NA]]
    )
    assert table.count(">—<") == 4
    assert parts.moment(pd.NaT) == "—"
    assert "nan" not in table.lower()


# --- parts


def every_part(text: str) -> dict[str, str]:
    """Each part once, with the same text everywhere a text can go."""
    told = Told("unsure", text, 213)
    signal = parts.Signal(
        symbol=text, detail=text, side="UP", what=text, probability=0.64, baseline=0.61,
        level=text, why=text, due=text, source=text,
    )  # fmt: skip
    silent = parts.Signal(symbol=text, detail=text, side=None, what=text, figure=text)
    decision = parts.Decision(when=text, market=text, what=text, wait=text)
    now = datetime(2026, 11, 20, 13, 41, 12, tzinfo=UTC)
    clock = parts.clock_line(now, [(text, "America/New_York"), (text, "Asia/Tokyo")], text)
    bar = parts.evidence_bar(told, text, baseline=text, values=(0.5, 0.4), big=True, axis=True)
    return {
        "head": parts.page_head(text, [parts.badge("phase", text, title=text)], clock=clock),
        "fresh": parts.fresh_badge(text),
        "stale": parts.stale_badge(text, what=text),
        "bar": bar,
        "svg": unquote(parts.evidence_svg(told, text, span=0.1, baseline=text)),
        "banner": parts.verdict_banner(told, text, bar),
        "call": parts.call_mark(text, suffix=text),
        "reasons": parts.reasons_list(0.6, [(text, 0.02)], 0.7, side="UP", name=text, result=text),
        "pairs": parts.key_values([(text, text)]),
        "table": parts.small_table([parts.Column(text)], [[text]]),
        "gates": parts.gate_rows([(True, text, text), (False, text, text), (None, text, text)]),
        "panel": parts.panel(text, text, remark=text),
        "section": parts.section_title(text, text),
        "progress": parts.progress_track(1, 2, unit=text, stage=text, dates=text, gone=1, left=1),
        "empty": parts.empty_state(text, text),
        "error": parts.error_box(text, text, text),
        "notice": parts.stale_notice(text, text),
        "signal": parts.signal_row(signal),
        "silent": parts.signal_row(silent),
        "agenda": parts.next_decisions([decision] * 5),
        "quote": parts.quote_line(text, [(text, text)], text),
        "callout": parts.callout(text, text),
        "note": parts.note(text),
        "stack": parts.stack([text]),
    }


@pytest.mark.parametrize("name", every_part("x"))
def test_hostile_text_is_shown_and_not_obeyed(name):
    html = every_part(HOSTILE)[name]
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(&quot;x&quot;)" in html
    assert "onerror='" not in html


@pytest.mark.parametrize("name", every_part("x"))
def test_parts_are_well_formed_and_mention_no_host(name):
    html = every_part("plain")[name]
    ElementTree.fromstring(  # noqa: S314
        f"<div>{html}</div>".replace("<br>", "<br/>")
        .replace("<hr>", "<hr/>")
        .replace("&nbsp;", " ")
    )
    assert "//" not in html.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_parts_nest_without_being_escaped_twice():
    inner = parts.key_values([("a & b", 1)])
    assert parts.panel("P", inner).count("a &amp; b") == 1
    assert isinstance(parts.panel("P", inner), parts.Html)


def test_the_clock_reads_utc_first_and_follows_daylight_saving():
    zones = [("New York", "America/New_York"), ("London", "Europe/London")]
    between = datetime(2026, 3, 16, 13, 30, tzinfo=UTC)  # New York has changed, London has not
    html = parts.clock_line(between, zones, "London open")
    plain = re.sub("<[^>]+>", "", html)
    assert plain == "13:30:00 UTC · 09:30 New York · 13:30 London · London open"
    assert '<span class="or-wide"> · <b>13:30</b> London' in html


def test_proof_states_have_three_faces():
    faces = {state: parts.proof_badge(state) for state in ("unproven", "void", "proven")}
    assert ">unproven<" in faces["unproven"]
    assert "certificate void" in faces["void"]
    assert "or-b-void" in faces["void"]
    assert "✓ certificate" in faces["proven"]


def test_simulated_is_dashed_and_the_phase_counts_days():
    assert ">SIMULATED<" in parts.simulated_badge()
    assert re.search(r"\.or-b-sim \{[^}]*dashed", style_sheet())
    assert "SHADOW · day 41 of 90" in parts.phase_badge(2, day=41, days=90)
    assert ">OFFLINE<" in parts.phase_badge(1)


def test_the_probability_pair_spans_the_gap_in_the_colour_of_the_side():
    html = parts.probability_pair(0.66, 0.52, "DOWN")
    assert 'style="left:52.0%;width:14.0%"' in html
    assert "--c:var(--down)" in html
    assert 'aria-label="model 66 percent, baseline 52 percent"' in html
    assert "--c:var(--up)" in parts.probability_pair(0.64, 0.61, "BUY")


def test_reasons_start_at_the_baseline_and_add_up_to_the_call():
    steps = [("broke up", 0.026), ("narrow", 0.016), ("lost", -0.008)]
    html = parts.reasons_list(0.61, steps, 0.64, side="UP", others=20)
    figures = [t for t in re.findall(r"<b[^>]*>([^<]*)</b>", html) if t[0] in "+−0123456789"]
    assert figures == ["61 %", "+2.6", "+1.6", "−0.8", "−0.4", "64 %"]
    shown = [float(f.replace("−", "-")) for f in figures[1:-1]]
    assert 61 + sum(shown) == pytest.approx(64)
    assert "20 other inputs" in html


def test_a_rest_without_further_inputs_is_called_not_attributed():
    html = parts.reasons_list(0.5, [("a", 0.05)], 0.6, side="DOWN")
    assert "not attributed" in html
    assert "--c:var(--down)" in html
    exact = parts.reasons_list(0.5, [("a", 0.1)], 0.6, side="DOWN")
    assert "not attributed" not in exact


def test_the_waterfall_joins_its_steps():
    html = parts.reasons_list(0.61, [("a", 0.02), ("b", 0.03), ("c", -0.02)], 0.64, side="UP")
    bars = re.findall(r'<i style="left:([\d.]+)%;width:([\d.]+)%', html)
    spans = [(float(left), float(left) + float(width)) for left, width in bars]
    assert spans[0][1] == pytest.approx(spans[1][0], abs=0.15)
    assert spans[1][1] == pytest.approx(spans[2][1], abs=0.15)
    assert all(0 <= edge <= 100 for span in spans for edge in span)


def test_reasons_of_a_flat_call_do_not_divide_by_nothing():
    html = parts.reasons_list(0.0, [], 0.0, side=None, measure=parts.NET_R)
    assert "0.00 R" in html


def test_no_call_is_a_row_like_the_others():
    html = parts.signal_row(parts.Signal(symbol="SIM-WALK", detail="5 min", side=None, what="–"))
    assert "— no call" in html
    assert "model and baseline hidden: no call" in html
    assert "%" not in html


def test_tables_align_numbers_and_hide_columns_on_phones():
    columns = [parts.Column("Call"), parts.Column("Said", number=True, phone=False)]
    html = parts.small_table(columns, [["UP", 62]])
    assert '<th class="or-num or-wide" scope="col">Said</th>' in html
    assert '<td class="or-num or-wide">62</td>' in html
    with pytest.raises(ValueError, match="zip"):
        parts.small_table(columns, [["UP"]])


def test_gates_say_met_not_met_and_waiting():
    html = parts.gate_rows([(True, "a", 1), (False, "b", 2), (None, "c", 3)])
    assert re.findall(r'aria-label="([^"]+)">(.)<', html) == [
        ("met", "✓"),
        ("not met", "×"),
        ("waiting", "○"),
    ]


def test_the_progress_track_tells_fold_stage_and_times():
    html = parts.progress_track(7, 12, stage="fitting", dates="a … b", gone=28, left=21)
    assert re.sub("<[^>]+>", "", html) == "Fold 7 of 12 · fitting · a … b28 s gone, about 21 s left"
    assert 'aria-valuenow="7"' in html
    assert "width:58.3%" in html
    assert "width:0.0%" in parts.progress_track(0, 0)
    assert "width:100.0%" in parts.progress_track(3, 2)


def test_the_phase_strip_marks_the_present_phase():
    html = parts.phase_strip(2)
    assert '<div class="or-done">1 Offline</div>' in html
    assert '<div class="or-now" aria-current="step">2 Shadow</div>' in html
    assert "<div>4 Hybrid</div>" in html


def test_chips_cover_every_verdict_in_streamlits_colours():
    chips = parts.chip_options("verdict")
    assert len(chips["options"]) == len(chips["color"]) == len(MARKS)
    known = {"primary", "gray", "green", "yellow", "red", "orange", "blue", "violet"}
    for name in ("verdict", "drift", "run", "role"):
        assert set(parts.chip_options(name)["color"]) <= known
    for verdict in VERDICTS.values():
        assert parts.verdict_chip(verdict)[0] in chips["options"]


# --- tokens


def luminance(code: str) -> float:
    channels = [int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(front: str, back: str) -> float:
    high, low = sorted((luminance(front), luminance(back)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mixed(front: str, back: str, share: float) -> str:
    pairs = [(int(front[i : i + 2], 16), int(back[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02X}" for a, b in pairs)


GROUNDS = ("bg", "surface", "raised")
INKS = tuple(name for name in TOKENS if name not in {*GROUNDS, "line", "grid"})


@pytest.mark.parametrize(("ink", "ground"), [*itertools.product(INKS, GROUNDS)])
def test_every_ink_reads_on_every_ground(ink, ground):
    assert contrast(TOKENS[ink], TOKENS[ground]) >= 4.5


@pytest.mark.parametrize(
    "ink", ["brand", "sim", "stale", *sorted({m.token for m in MARKS.values()})]
)
def test_badges_read_on_their_own_tint(ink):
    tint = re.search(r"\.or-badge \{[^}]*var\(--bg\)\) (\d+)%", style_sheet())
    for ground in GROUNDS:
        back = mixed(TOKENS[ink], TOKENS[ground], int(tint[1]) / 100)
        assert contrast(TOKENS[ink], back) >= 4.5


@pytest.mark.parametrize("ground", ["brand", "text", "up", "down", "muted"])
def test_dark_text_reads_on_bright_buttons_tags_and_marks(ground):
    assert contrast(TOKENS["bg"], TOKENS[ground]) >= 4.5


def test_the_configuration_and_the_tokens_are_one_palette():
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))["theme"]
    pairs = {
        "primaryColor": "brand", "backgroundColor": "bg", "textColor": "text",
        "borderColor": "line", "blueColor": "up", "orangeColor": "down", "greenColor": "edge",
        "yellowColor": "unsure", "redColor": "worse", "violetColor": "sim", "grayColor": "muted",
    }  # fmt: skip
    assert {key: theme[key] for key in pairs} == {k: TOKENS[v] for k, v in pairs.items()}


def test_the_configuration_sends_nothing_out():
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))
    assert config["browser"]["gatherUsageStats"] is False
    assert "//" not in (ROOT / ".streamlit/config.toml").read_text(encoding="utf-8")
    assert config["client"]["toolbarMode"] == "minimal"


def test_the_style_sheet_loads_nothing_and_knows_every_class_the_parts_use():
    sheet = style_sheet()
    assert "@import" not in sheet
    assert "url(" not in sheet
    assert "//" not in sheet
    assert all(f"--{name}:{code}" in sheet for name, code in TOKENS.items())
    used = {c for html in every_part("x").values() for c in re.findall(r"or-[a-z-]+", html)}
    used -= {"or-k-unsure", "or-done", "or-now", "or-ev-cap"}
    missing = {name for name in used if f".{name}" not in sheet}
    assert not missing


def test_the_style_sheet_uses_only_declared_variables():
    declared = {*TOKENS, "c"}
    assert {name for name in re.findall(r"var\(--([a-z]+)", style_sheet())} <= declared


def test_the_logo_is_outlined_and_light():
    logo = (ROOT / "static/logo.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(logo)  # noqa: S314
    assert not [e for e in root.iter() if e.tag.endswith(("}text", "}image", "}use"))]
    assert root.get("aria-label") == "Openrange"
    assert len(logo) < 8000


def test_rgba_takes_a_token():
    assert rgba("bg", 0.5) == "rgba(14,18,23,0.5)"
