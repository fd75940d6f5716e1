//! What must happen outside because of an event. Asked once, when the event is committed; never on a replay of history.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::effect::Effect;
use super::escalation::Phase;
use super::event::{Actor, Detour, Event, PageResult, PlannedPage, Recorded, Source};
use super::incident::{Channel, Incident, Page, Role};
use super::roster::Roster;
use crate::ids::{EscalationId, Seq, UserId};

/// A channel that comes later than this after the opening is told what it missed.
const CATCH_UP_AFTER: TimeDelta = TimeDelta::seconds(60);

/// The effects of one event; `after` is the incident with the whole decision folded in.
pub fn react(recorded: &Recorded, after: &Incident, roster: &Roster) -> Vec<Effect> {
    let mut effects = Effects { out: Vec::new(), incident: after };
    effects.of(recorded, roster);
    if after.concluded && is_content(&recorded.occurrence.event) {
        effects.out.push(Effect::Export);
        if after.postmortem_message.is_some() {
            effects.out.push(Effect::UpdatePostmortem);
        }
    }
    effects.out
}

/// Whether an event changes what the documents say.
fn is_content(event: &Event) -> bool {
    !matches!(
        event,
        Event::CaptureRequested { .. }
            | Event::DocumentRequested { .. }
            | Event::DocumentNotSent { .. }
            | Event::ChannelCreated { .. }
            | Event::ChannelFailed { .. }
            | Event::CardPosted { .. }
            | Event::AnnouncementPosted { .. }
            | Event::EscalationPosted { .. }
            | Event::PostmortemPosted { .. }
            | Event::ActivitySeen { .. }
            | Event::AlertCounting { .. }
    )
}

struct Effects<'a> {
    out: Vec<Effect>,
    incident: &'a Incident,
}

impl Effects<'_> {
    fn of(&mut self, recorded: &Recorded, roster: &Roster) {
        let seq = recorded.seq;
        match &recorded.occurrence.event {
            Event::Opened { private, .. } => {
                self.out.push(Effect::CreateChannel);
                if !private && roster.announce_in.is_some() {
                    self.out.push(Effect::Announce);
                }
            }
            Event::ChannelCreated { .. } => self.furnish(recorded.recorded_at),
            Event::ChannelFailed { .. } => {
                self.refresh_announcement();
                self.tell(seq, true);
                for update in self.incident.updates_waiting.clone() {
                    self.pass_on(update);
                }
            }
            Event::CardPosted { .. } => self.out.extend([Effect::PinCard, Effect::UpdateCard]),
            // Both may have been overtaken by what happened while they were on their way.
            Event::AnnouncementPosted { .. } => {
                if matches!(self.incident.channel, Channel::Open { .. }) || !self.incident.is_open() {
                    self.out.push(Effect::UpdateAnnouncement);
                }
            }
            Event::EscalationPosted { escalation, .. } => self.refresh_escalation(*escalation),
            Event::Escalated { escalation: Some(id), policy: Some(_), .. } => {
                self.in_channel(Effect::PostEscalation { escalation: *id });
                self.refresh_card();
            }
            Event::Escalated { .. } => self.refresh_card(),
            Event::TierStarted { escalation, pages, .. } => {
                self.page(*escalation, pages);
                self.refresh_card();
            }
            Event::EscalationExhausted { escalation, pages, .. } => {
                self.page(*escalation, pages);
                self.in_channel(Effect::Post { seq });
                self.refresh_card();
            }
            Event::TierSkipped { escalation, .. }
            | Event::ActivitySeen { escalation, .. }
            | Event::PageWithheld { escalation, .. } => {
                self.refresh_escalation(*escalation);
            }
            Event::EscalationHeld { escalation, pages, .. } => {
                self.out.extend(pages.iter().map(|planned| Effect::Page { page: planned.page }));
                self.refresh_pages(*escalation);
                self.refresh_card();
            }
            Event::PageAttempted { page, result, .. } => {
                if let Some(page) = self.incident.pages.get(page) {
                    match result {
                        // An acknowledgement may have come while the page was on its way: say so on the page.
                        // So may more that is to be asked about.
                        PageResult::Sent { .. }
                            if !self.waits(page) || (page.asks && self.incident.held().count() > 1) =>
                        {
                            self.out.push(Effect::UpdatePage { page: page.id });
                        }
                        PageResult::Sent { .. } => {}
                        PageResult::SentElsewhere
                        | PageResult::NotReached { .. }
                        | PageResult::Failed { .. }
                        | PageResult::Unknown { .. } => {
                            self.refresh_escalation(page.escalation);
                        }
                    }
                }
            }
            Event::PagedElsewhere { escalation, because, next, .. } => {
                self.out.extend(next.iter().map(|planned| Effect::Page { page: planned.page }));
                self.refresh_escalation(*escalation);
                // Who comes back after Slack was away reads at once what happened, in one message.
                if *because != Detour::Refused {
                    self.in_channel(Effect::CatchUp);
                }
            }
            Event::Acknowledged { escalation, user, .. } => {
                if let Some(id) = escalation {
                    self.refresh_pages(*id);
                }
                self.invite(user.iter());
                self.refresh_card();
            }
            Event::JoinedAcknowledged { escalation, user, .. } => {
                if let Some(id) = escalation {
                    self.refresh_escalation(*id);
                }
                self.invite(user.iter());
            }
            Event::Declined { escalation, page, .. } => {
                self.out.push(Effect::UpdatePage { page: *page });
                self.refresh_escalation(*escalation);
            }
            Event::AcknowledgementLapsed { escalation, .. } => {
                self.in_channel(Effect::Post { seq });
                self.refresh_pages(*escalation);
                self.refresh_card();
            }
            Event::EscalationAdvanced { escalation, .. }
            | Event::EscalationResumed { escalation, .. }
            | Event::EscalationStopped { escalation, .. } => {
                self.refresh_pages(*escalation);
                self.refresh_card();
            }
            Event::Resolved { .. } | Event::Canceled { .. } => {
                let ids: Vec<EscalationId> = self.incident.escalations.keys().copied().collect();
                for id in ids {
                    self.refresh_pages(id);
                }
                self.conclude(seq, matches!(recorded.occurrence.event, Event::Resolved { .. }));
                self.in_channel(Effect::SetTopic);
            }
            Event::Reopened { .. } | Event::StatusChanged { .. } | Event::Mitigated { .. } => {
                self.in_channel(Effect::Post { seq });
                self.refresh_headlines();
            }
            Event::SeverityChanged { .. } | Event::TitleChanged { .. } => {
                self.in_channel(Effect::Post { seq });
                self.in_channel(Effect::SetTopic);
                self.refresh_headlines();
            }
            Event::RoleAssigned { role, user } => {
                self.in_channel(Effect::Post { seq });
                self.invite([user].into_iter());
                match role {
                    Role::Commander => self.refresh_headlines(),
                    Role::Scribe | Role::CommunicationsLead => self.refresh_card(),
                }
            }
            Event::TaskAdded { owner, .. } => {
                self.in_channel(Effect::Post { seq });
                self.invite(owner.iter());
                self.refresh_card();
            }
            // In a storm the card counts them.
            Event::AlertCleared { .. } if self.incident.storm.is_some() => self.refresh_card(),
            Event::AlertCleared { .. } => self.in_channel(Effect::Post { seq }),
            Event::StormEnded { .. } | Event::AlertTakenOut { .. } => {
                self.in_channel(Effect::Post { seq });
                self.refresh_card();
            }
            Event::AlertRepeated { .. } | Event::AlertJoined { .. } => self.refresh_card(),
            Event::UpdatePosted { .. } => {
                match self.incident.channel {
                    Channel::Open { .. } => self.out.push(Effect::Post { seq }),
                    // It is posted when the channel comes.
                    Channel::Wanted => {}
                    Channel::Failed { .. } => self.pass_on(seq),
                }
                self.refresh_card();
            }
            Event::Noted { .. } | Event::Detected { .. } => self.mark(recorded),
            Event::EntryRemoved { target, .. } => self.out.push(Effect::Mark { seq: *target }),
            Event::CaptureRequested { message, kind, late } => {
                if let Actor::Person { user } = &recorded.occurrence.actor {
                    let (message, by) = (message.clone(), user.clone());
                    self.out.push(Effect::Capture { message, kind: *kind, by, late: *late });
                }
            }
            Event::DocumentRequested { by, format } => {
                self.out.push(Effect::SendDocument { to: by.clone(), format: *format });
            }
            Event::DocumentNotSent { to, .. } => self.out.push(Effect::Tell { user: to.clone(), seq }),
            Event::FieldSet { .. }
            | Event::ImpactStartSet { .. }
            | Event::ImpactEndSet { .. }
            | Event::TaskDone { .. }
            | Event::TaskRemoved { .. } => self.refresh_card(),
            Event::AlertFiring { .. }
            | Event::AlertCounting { .. }
            | Event::AlertTakenFrom { .. }
            | Event::StormBegan { .. }
            | Event::Declared { .. }
            | Event::TextEdited { .. }
            | Event::MeasureAdded { .. }
            | Event::MeasureRemoved { .. }
            | Event::ProseWritten { .. }
            | Event::ClockSet { .. }
            | Event::PersonErased { .. }
            | Event::PostmortemPosted { .. } => {}
        }
    }

    /// Everything that waited for the channel.
    fn furnish(&mut self, now: DateTime<Utc>) {
        self.out.extend([Effect::PostCard, Effect::SetTopic]);
        if now - self.incident.opened_at > CATCH_UP_AFTER {
            self.out.push(Effect::CatchUp);
        }
        self.out.extend(self.incident.updates_waiting.iter().map(|seq| Effect::Post { seq: *seq }));
        let people: Vec<UserId> = self.incident.responders.iter().cloned().collect();
        self.invite(people.iter());
        let waiting: Vec<EscalationId> = self
            .incident
            .escalations
            .values()
            .filter(|found| found.phase != Phase::Stopped)
            .map(|found| found.id)
            .collect();
        self.out.extend(waiting.into_iter().map(|escalation| Effect::PostEscalation { escalation }));
        // Who was paged meanwhile learns where the work is.
        let paged: Vec<EscalationId> = self.incident.escalations.keys().copied().collect();
        for id in paged {
            self.refresh_pages(id);
        }
        self.refresh_announcement();
        if self.incident.concluded {
            self.out.push(Effect::PostPostmortem);
        }
    }

    fn conclude(&mut self, seq: u32, resolved: bool) {
        self.in_channel(Effect::Post { seq });
        self.refresh_headlines();
        if resolved && self.incident.postmortem_message.is_none() {
            self.in_channel(Effect::PostPostmortem);
        }
    }

    fn page(&mut self, escalation: EscalationId, pages: &[PlannedPage]) {
        self.out.extend(pages.iter().map(|planned| Effect::Page { page: planned.page }));
        let people: Vec<UserId> = pages.iter().filter_map(|planned| planned.to.user()).cloned().collect();
        self.invite(people.iter());
        // Earlier pages say who is called now, and that they can still be answered.
        self.refresh_pages(escalation);
    }

    /// An update of an incident that goes on without a channel: to the thread of its announcement, else to those
    /// concerned. Who was only called reads nothing of a private incident.
    fn pass_on(&mut self, update: Seq) {
        if self.incident.announcement.is_some() && !self.incident.private {
            self.out.push(Effect::PostAside { seq: update });
        } else {
            self.tell(update, !self.incident.private);
        }
    }

    /// The opener, who plays a part, and perhaps everybody who was called: by direct message, for want of a channel.
    fn tell(&mut self, seq: Seq, called: bool) {
        let opener = match &self.incident.opened_by {
            Actor::Person { user } => Some(user),
            Actor::Firebell | Actor::Integration { .. } | Actor::Operator | Actor::Fallback => None,
        };
        let called = self.incident.pages.values().filter(|_| called).filter_map(|page| page.to.user());
        let concerned: BTreeSet<&UserId> =
            opener.into_iter().chain(self.incident.roles.values()).chain(called).collect();
        let concerned = concerned.into_iter().filter(|user| !user.is_former());
        self.out.extend(concerned.map(|user| Effect::Tell { user: user.clone(), seq }));
    }

    fn waits(&self, page: &Page) -> bool {
        if page.asks {
            return self.incident.held().next().is_some();
        }
        self.incident
            .escalations
            .get(&page.escalation)
            .is_some_and(|found| matches!(found.phase, Phase::Active { .. } | Phase::Exhausted))
    }

    /// The messages of a call's pages, and of the question about all held calls.
    fn refresh_pages(&mut self, id: EscalationId) {
        let concerned = |page: &&Page| page.escalation == id || (page.asks && !page.dead);
        let sent = self.incident.pages.values().filter(concerned).filter(|page| page.message.is_some());
        self.out.extend(sent.map(|page| Effect::UpdatePage { page: page.id }));
        self.refresh_escalation(id);
    }

    fn refresh_escalation(&mut self, id: EscalationId) {
        if self.incident.escalations.get(&id).is_some_and(|found| found.message.is_some()) {
            self.out.push(Effect::UpdateEscalation { escalation: id });
        }
    }

    /// Wherever title, severity, status and lead are shown.
    fn refresh_headlines(&mut self) {
        self.refresh_card();
        self.refresh_announcement();
    }

    fn refresh_card(&mut self) {
        if self.incident.card.is_some() {
            self.out.push(Effect::UpdateCard);
        }
    }

    fn refresh_announcement(&mut self) {
        if self.incident.announcement.is_some() {
            self.out.push(Effect::UpdateAnnouncement);
        }
    }

    fn in_channel(&mut self, effect: Effect) {
        if matches!(self.incident.channel, Channel::Open { .. }) {
            self.out.push(effect);
        }
    }

    fn invite<'u>(&mut self, users: impl Iterator<Item = &'u UserId>) {
        let users: Vec<UserId> = users.filter(|user| !user.is_former()).cloned().collect();
        if !users.is_empty() {
            self.in_channel(Effect::Invite { users });
        }
    }

    fn mark(&mut self, recorded: &Recorded) {
        if let Some(Source::Message { .. }) = &recorded.occurrence.source {
            self.out.push(Effect::Mark { seq: recorded.seq });
        }
    }
}

/// Whether a page has become stale while it could not go out: the same one was called again since, or a way that was
/// tried before has worked after all. After an outage nobody gets a heap of old pages.
fn is_overtaken(page: &Page, incident: &Incident) -> bool {
    let again = |other: &Page| other.id > page.id && other.to == page.to && other.asks == page.asks;
    let called_again = incident.pages_of(page.escalation).any(again);
    let mut before = page.instead_of.and_then(|before| incident.pages.get(&before));
    while let Some(way) = before {
        if way.is_accepted() {
            return true;
        }
        before = way.instead_of.and_then(|before| incident.pages.get(&before));
    }
    called_again
}

/// Asked again just before an effect goes out: an acknowledged page is not sent, a card that is gone is not edited.
pub fn still_wanted(effect: &Effect, incident: &Incident) -> bool {
    let in_channel = matches!(incident.channel, Channel::Open { .. });
    match effect {
        Effect::Page { page } => incident
            .pages
            .get(page)
            .is_some_and(|page| incident.is_awaited(page) && !page.is_accepted() && !is_overtaken(page, incident)),
        // Nobody knows any more where the messages to somebody are who was made anonymous.
        Effect::UpdatePage { page } => incident
            .pages
            .get(page)
            .is_some_and(|page| page.message.is_some() && page.to.user().is_none_or(|user| !user.is_former())),
        Effect::CreateChannel => matches!(incident.channel, Channel::Wanted),
        Effect::PostCard => in_channel && incident.card.is_none(),
        Effect::UpdateCard | Effect::PinCard => in_channel && incident.card.is_some(),
        Effect::Announce => incident.announcement.is_none() && !incident.private,
        Effect::UpdateAnnouncement | Effect::PostAside { .. } => incident.announcement.is_some(),
        Effect::PostEscalation { escalation } => {
            in_channel && incident.escalations.get(escalation).is_some_and(|found| found.message.is_none())
        }
        Effect::UpdateEscalation { escalation } => {
            in_channel && incident.escalations.get(escalation).is_some_and(|found| found.message.is_some())
        }
        Effect::PostPostmortem => in_channel && incident.postmortem_message.is_none(),
        Effect::UpdatePostmortem => in_channel && incident.postmortem_message.is_some(),
        Effect::SetTopic | Effect::Invite { .. } | Effect::Post { .. } | Effect::CatchUp => in_channel,
        Effect::Tell { user, .. } | Effect::SendDocument { to: user, .. } => !user.is_former(),
        Effect::Canary { .. }
        | Effect::TestPage { .. }
        | Effect::Capture { .. }
        | Effect::Mark { .. }
        | Effect::Export => true,
    }
}
