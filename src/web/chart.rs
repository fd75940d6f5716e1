//! The phase chart: where every bar, mark and word of the picture goes. Pure layout; the template draws it.
//!
//! Long empty stretches are cut out of the axis, so that a cause months ago and a repair within minutes fit one picture.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::civil::format::{LocalZone, date_without_year, duration_short};
use crate::domain::postmortem::Postmortem;
use crate::domain::postmortem::phases::{Lane, Phases};

const WIDTH: i64 = 704;
/// The column of row names.
const NAMES: i64 = 124;
const PLOT_LEFT: i64 = NAMES + 8;
const PLOT_RIGHT: i64 = WIDTH - 12;
const TOP: i64 = 34;
const ROW: i64 = 22;
const ROW_GAP: i64 = 8;
/// The room that a cut in the axis takes.
const CUT: i64 = 34;
const SEGMENT_MIN: i64 = 46;
/// Room inside a segment before its first and after its last instant.
const PADDING: i64 = 10;
const CUTS_MAX: usize = 4;
/// A stretch without any entry is cut out if it is this long and takes nearly half of what is shown.
const CUT_MIN: TimeDelta = TimeDelta::hours(6);
/// The width of a character of the labels, roughly.
const CHARACTER: i64 = 6;

/// The drawing. Coordinates are pixels of the picture's own grid.
#[derive(Template)]
#[template(path = "chart.svg")]
pub struct Chart {
    pub width: i64,
    pub height: i64,
    pub plot_left: i64,
    pub plot_right: i64,
    pub axis_y: i64,
    pub title: String,
    pub description: String,
    pub names: Vec<Label>,
    pub bars: Vec<Bar>,
    pub ticks: Vec<Tick>,
    pub days: Vec<Tick>,
    pub cuts: Vec<Tick>,
    pub diamonds: Vec<Diamond>,
    pub legend: Vec<LegendItem>,
}

pub struct Label {
    pub x: i64,
    pub y: i64,
    pub text: String,
    pub full: String,
}

pub struct Bar {
    pub x: i64,
    pub y: i64,
    pub width: i64,
    pub height: i64,
    pub class: &'static str,
    pub title: String,
    pub label: Option<Label>,
}

/// A mark on the axis or across the plot, with its words.
pub struct Tick {
    pub x: i64,
    /// The middle of the words, which stay inside the picture.
    pub text_x: i64,
    pub text: String,
}

impl Tick {
    fn new(x: i64, text: String) -> Self {
        let half = i64::try_from(text.chars().count()).unwrap_or(0) * CHARACTER / 2;
        Self { x, text_x: x.min(WIDTH - half - 2), text }
    }
}

pub struct Diamond {
    pub x: i64,
    pub y: i64,
    pub class: &'static str,
    pub key: bool,
    pub title: String,
}

pub struct LegendItem {
    pub x: i64,
    pub y: i64,
    pub class: &'static str,
    pub text: &'static str,
}

/// The same data as a table.
pub struct Row {
    pub name: String,
    pub from: String,
    pub to: String,
    pub lasted: String,
}

/// The chart of an incident as SVG.
pub fn svg(postmortem: &Postmortem) -> String {
    chart(postmortem).render().expect("writing to a string does not fail")
}

/// Lays the chart out.
pub fn chart(postmortem: &Postmortem) -> Chart {
    let (phases, zone) = (&postmortem.phases, &postmortem.zone);
    let axis = Axis::new(phases);
    let mut plan = Plan { axis: &axis, zone, y: TOP, names: Vec::new(), bars: Vec::new() };
    plan.phases(phases);
    for lane in &phases.lanes {
        plan.lane(lane);
    }
    let marks_y = plan.row("Moments");
    let (names, bars, axis_y) = (plan.names, plan.bars, plan.y + 4);
    let diamonds = phases.marks.iter().map(|mark| Diamond {
        x: axis.x(mark.at),
        y: marks_y + ROW / 2,
        class: mark.kind.word(),
        key: mark.key,
        title: format!("{} {}", zone.time_with_zone(mark.at), mark.label),
    });
    let legend = legend(&bars, axis_y + 46);
    let height = legend.last().map_or(axis_y + 30, |item| item.y + 16);
    Chart {
        width: WIDTH,
        height,
        plot_left: PLOT_LEFT,
        plot_right: PLOT_RIGHT,
        axis_y,
        title: format!("Phases of {}", postmortem.name),
        description: description(postmortem),
        ticks: axis.ticks(zone),
        days: axis.days(phases, zone),
        cuts: axis.cuts(),
        diamonds: diamonds.collect(),
        legend,
        names,
        bars,
    }
}

/// The rows of the table that says the same as the chart.
pub fn rows(postmortem: &Postmortem) -> Vec<Row> {
    let (phases, zone) = (&postmortem.phases, &postmortem.zone);
    let several_days = phases.marks.iter().any(|mark| zone.day(mark.at) != zone.day(phases.start_at));
    let time = |at: DateTime<Utc>| {
        let time = zone.time_with_zone(at);
        if several_days { format!("{}, {time}", date_without_year(zone.day(at))) } else { time }
    };
    let row = |name: String, from: DateTime<Utc>, to: DateTime<Utc>| Row {
        name,
        from: time(from),
        to: time(to),
        lasted: duration_short((to - from).num_seconds()),
    };
    let impact = phases.impact.map(|(from, to)| row("Impact on users".to_owned(), from, to));
    let spans = phases.spans.iter().map(|span| row(span.phase.name().to_owned(), span.from, span.to));
    let lanes = phases.lanes.iter().map(|lane| match lane.answered {
        Some(answered) => row(format!("{}: called, then answered", lane.team), lane.from(), answered),
        None => Row {
            name: format!("{}: called", lane.team),
            from: time(lane.from()),
            to: "answer not recorded".to_owned(),
            lasted: String::new(),
        },
    });
    impact.into_iter().chain(spans).chain(lanes).collect()
}

fn description(postmortem: &Postmortem) -> String {
    let rows: Vec<String> = rows(postmortem)
        .into_iter()
        .map(|row| {
            let lasted = if row.lasted.is_empty() { String::new() } else { format!(" ({})", row.lasted) };
            format!("{} {} to {}{lasted}", row.name, row.from, row.to)
        })
        .collect();
    format!("{}.", rows.join("; "))
}

struct Plan<'a> {
    axis: &'a Axis,
    zone: &'a LocalZone,
    y: i64,
    names: Vec<Label>,
    bars: Vec<Bar>,
}

impl Plan<'_> {
    /// Begins a row and gives its upper edge.
    fn row(&mut self, name: &str) -> i64 {
        let y = self.y;
        let room = usize::try_from(NAMES / CHARACTER).unwrap_or(0);
        let text = if name.chars().count() > room {
            format!("{}…", name.chars().take(room - 1).collect::<String>().trim_end())
        } else {
            name.to_owned()
        };
        self.names.push(Label { x: NAMES, y: y + ROW / 2 + 4, text, full: name.to_owned() });
        self.y += ROW + ROW_GAP;
        y
    }

    fn phases(&mut self, phases: &Phases) {
        if let Some((from, to)) = phases.impact {
            let y = self.row("Impact");
            self.bar(y + 5, ROW - 10, (from, to), "impact", "Impact on users", "");
        }
        if !phases.spans.is_empty() {
            let y = self.row("Phase");
            for span in &phases.spans {
                let phase = span.phase;
                self.bar(y, ROW, (span.from, span.to), phase.class(), phase.name(), phase.short());
            }
        }
    }

    fn lane(&mut self, lane: &Lane) {
        let y = self.row(&lane.team);
        let from = lane.from();
        if let Some(answered) = lane.answered {
            let waited = format!("{} called", lane.team);
            self.bar(y + 3, ROW - 6, (from, answered), "waiting", &waited, "");
            self.bar(y + 3, ROW - 6, (answered, lane.until), "has-it", &format!("{} has it", lane.team), "");
        } else {
            let name = format!("{} called; answer not recorded", lane.team);
            self.bar(y + 3, ROW - 6, (from, lane.until), "called", &name, "");
        }
    }

    fn bar(
        &mut self,
        y: i64,
        height: i64,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        class: &'static str,
        name: &str,
        label: &str,
    ) {
        let x = self.axis.x(from);
        let width = (self.axis.x(to) - x).max(if to > from { 2 } else { 0 });
        if width == 0 {
            return;
        }
        let lasted = duration_short((to - from).num_seconds());
        let room = i64::try_from(label.chars().count()).unwrap_or(i64::MAX) * CHARACTER + 10;
        let middle = x + width / 2;
        let is_cut = self.axis.cuts().iter().any(|cut| (cut.x - middle).abs() < room / 2 + 6);
        let label = (!label.is_empty() && room <= width && !is_cut).then(|| Label {
            x: middle,
            y: y + height / 2 + 4,
            text: label.to_owned(),
            full: name.to_owned(),
        });
        let (from, to) = (self.zone.time_with_zone(from), self.zone.time_with_zone(to));
        self.bars.push(Bar { x, y, width, height, class, title: format!("{name}: {from} to {to}, {lasted}"), label });
    }
}

fn legend(bars: &[Bar], y: i64) -> Vec<LegendItem> {
    const ITEMS: [(&str, &str); 11] = [
        ("impact", "Impact on users"),
        ("before", "Detected before impact"),
        ("undetected", "Undetected"),
        ("detected", "Detected"),
        ("in-hand", "In hand"),
        ("mitigated", "Mitigated"),
        ("returned", "Impact returned"),
        ("returned-sometime", "Impact returned at some time"),
        ("waiting", "Waiting for an answer"),
        ("has-it", "Team has it"),
        ("called", "Called, answer not recorded"),
    ];
    let (mut x, mut y, mut legend) = (PLOT_LEFT, y, Vec::new());
    for (class, text) in ITEMS.into_iter().filter(|(class, _)| bars.iter().any(|bar| bar.class == *class)) {
        let width = 34 + i64::try_from(text.len()).unwrap_or(0) * CHARACTER;
        if x + width > PLOT_RIGHT {
            (x, y) = (PLOT_LEFT, y + 20);
        }
        legend.push(LegendItem { x, y, class, text });
        x += width;
    }
    legend
}

/// The time axis: segments between the cuts, each with its own stretch of the plot.
struct Axis {
    segments: Vec<Segment>,
}

struct Segment {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    x: i64,
    width: i64,
}

impl Axis {
    fn new(phases: &Phases) -> Self {
        let edges = phases.spans.iter().flat_map(|span| [span.from, span.to]);
        let impact = phases.impact.into_iter().flat_map(|(from, to)| [from, to]);
        let mut instants: Vec<DateTime<Utc>> = phases
            .marks
            .iter()
            .map(|mark| mark.at)
            .chain(edges)
            .chain(impact)
            .chain([phases.start_at, phases.end_at])
            .collect();
        instants.sort_unstable();
        instants.dedup();
        let mut cut: Vec<usize> = Vec::new();
        while cut.len() < CUTS_MAX {
            let gaps = (1..instants.len()).filter(|index| !cut.contains(index));
            let gaps: Vec<(usize, TimeDelta)> =
                gaps.map(|index| (index, instants[index] - instants[index - 1])).collect();
            let shown: TimeDelta = gaps.iter().map(|(_, gap)| *gap).sum();
            let Some((index, gap)) = gaps.into_iter().max_by_key(|(_, gap)| *gap) else { break };
            if gap < CUT_MIN || gap * 20 < shown * 9 {
                break;
            }
            cut.push(index);
        }
        cut.sort_unstable();
        let starts = std::iter::once(0).chain(cut.iter().copied());
        let ends = cut.iter().copied().chain([instants.len()]);
        let parts = starts.zip(ends).map(|(start, end)| (instants[start], instants[end - 1])).collect();
        Self { segments: placed(parts) }
    }

    /// Where an instant lies; inside a cut, in its middle.
    fn x(&self, at: DateTime<Utc>) -> i64 {
        let mut x = PLOT_LEFT;
        for segment in &self.segments {
            if at < segment.from {
                return if x == PLOT_LEFT { segment.x } else { i64::midpoint(x, segment.x) };
            }
            if at <= segment.to {
                return segment.x(at);
            }
            x = segment.x + segment.width;
        }
        x
    }

    fn ticks(&self, zone: &LocalZone) -> Vec<Tick> {
        self.segments.iter().flat_map(|segment| segment.ticks(zone)).collect()
    }

    /// The beginnings of local days and the changes of the clocks.
    fn days(&self, phases: &Phases, zone: &LocalZone) -> Vec<Tick> {
        let mut days: Vec<(DateTime<Utc>, String)> = Vec::new();
        for segment in &self.segments {
            let first = zone.day(segment.from);
            if self.segments.len() > 1 || zone.day(self.last()) != first {
                days.push((segment.from, date_without_year(first)));
            }
            let mut day = first;
            while let Some(next) = day.succ_opt().filter(|next| zone.day_start(*next) <= segment.to) {
                days.push((zone.day_start(next), date_without_year(next)));
                day = next;
            }
        }
        let inside = |at: DateTime<Utc>| self.segments.iter().any(|segment| segment.from < at && at < segment.to);
        let changes = phases.changes.iter().filter(|change| inside(change.at));
        days.extend(changes.map(|change| (change.at, format!("{} → {}", change.from, change.to))));
        days.sort();
        let mut ticks: Vec<Tick> = Vec::new();
        for (at, text) in days {
            let x = self.x(at);
            match ticks.last_mut() {
                Some(last) if last.text == text => {}
                Some(last) if x - last.x < i64::try_from(last.text.chars().count()).unwrap_or(0) * CHARACTER + 8 => {
                    // Too close to name both: the later one matters more where the earlier is only the left edge.
                    if last.x <= PLOT_LEFT + PADDING {
                        *last = Tick::new(x, text);
                    } else {
                        ticks.push(Tick::new(x, String::new()));
                    }
                }
                _ => ticks.push(Tick::new(x, text)),
            }
        }
        ticks
    }

    fn cuts(&self) -> Vec<Tick> {
        let cuts = self
            .segments
            .windows(2)
            .map(|pair| Tick::new((pair[0].x + pair[0].width + pair[1].x) / 2, cut_words(pair[1].from - pair[0].to)));
        cuts.collect()
    }

    fn last(&self) -> DateTime<Utc> {
        self.segments.last().map_or(DateTime::UNIX_EPOCH, |segment| segment.to)
    }
}

/// "14 h", "5 d": how much a cut leaves out.
fn cut_words(left_out: TimeDelta) -> String {
    if left_out.num_hours() < 48 { format!("{} h", left_out.num_hours()) } else { format!("{} d", left_out.num_days()) }
}

/// Gives each part its stretch of the plot: in proportion, but never less than can be read.
fn placed(parts: Vec<(DateTime<Utc>, DateTime<Utc>)>) -> Vec<Segment> {
    let count = i64::try_from(parts.len()).unwrap_or(1);
    let room = PLOT_RIGHT - PLOT_LEFT - (count - 1) * CUT - count * SEGMENT_MIN;
    let total_s = parts.iter().map(|(from, to)| (*to - *from).num_seconds()).sum::<i64>().max(1);
    let mut x = PLOT_LEFT;
    let mut segments = Vec::with_capacity(parts.len());
    for (from, to) in parts {
        let width = SEGMENT_MIN + room * (to - from).num_seconds() / total_s;
        segments.push(Segment { from, to, x, width });
        x += width + CUT;
    }
    segments
}

impl Segment {
    fn x(&self, at: DateTime<Utc>) -> i64 {
        let lasts_ms = (self.to - self.from).num_milliseconds();
        if lasts_ms == 0 {
            return self.x + self.width / 2;
        }
        self.x + PADDING + (self.width - 2 * PADDING) * (at - self.from).num_milliseconds() / lasts_ms
    }

    /// Round clock times that stand far enough apart to be read.
    fn ticks(&self, zone: &LocalZone) -> Vec<Tick> {
        const STEPS_MIN: [i64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080];
        // On a day whose clocks change, an hour may come twice: its marks name the letters.
        let changes = zone.changes_on(zone.day(self.from)) || zone.changes_on(zone.day(self.to));
        let words = |at| if changes { zone.time_with_zone(at) } else { zone.time(at) };
        let longest = i64::try_from(words(self.from).chars().count() + 1).unwrap_or(0);
        let spacing = longest * CHARACTER + 10;
        let lasts_min = (self.to - self.from).num_minutes();
        if lasts_min == 0 {
            return vec![Tick::new(self.x(self.from), words(self.from))];
        }
        let fitting = |step: &&i64| **step * (self.width - 2 * PADDING) / lasts_min.max(1) >= spacing;
        let step = STEPS_MIN.iter().find(fitting).copied().unwrap_or(STEPS_MIN[STEPS_MIN.len() - 1]);
        let mut at = zone.day_start(zone.day(self.from));
        let mut ticks = Vec::new();
        while at <= self.to {
            if at >= self.from {
                let text = if step >= 1_440 { date_without_year(zone.day(at)) } else { words(at) };
                ticks.push(Tick::new(self.x(at), text));
            }
            at += TimeDelta::minutes(step);
        }
        if ticks.is_empty() {
            ticks.push(Tick::new(self.x(self.from), words(self.from)));
        }
        ticks
    }
}
