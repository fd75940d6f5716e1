//! Ways to people besides Slack, and what must not get out by any way: secrets, and what a private incident is about.

use serde_json::Value;

use super::faults::OutsideFault;
use super::scenario::{Ask, SECOND, Which};
use super::world::{World, with};
use crate::clock::real_sleep;
use crate::domain::contact::ContactMethod;
use crate::elsewhere::{Elsewhere, Failure, Notice};

/// Part of every secret of a run: the bot's token, and the addresses of people.
pub(super) const CANARY: &str = "k3ncnry";

/// Where links to answer lead, and how they look.
const PUBLIC_URL: &str = "https://bell.example";
const LINK: &str = "bell.example/ack/";

/// The ways of a run: their links are signed with a secret, too.
pub(super) fn ways() -> Elsewhere {
    Elsewhere::simulated(CANARY.as_bytes(), PUBLIC_URL)
}

/// A message on its way, or taken, by another way than Slack.
#[derive(Clone, Debug)]
pub(super) struct Handed {
    /// The page it is, as in Slack.
    pub(super) mark: String,
    begun_us: i64,
}

/// What becomes of a message that is handed over.
struct Fate {
    there_us: i64,
    back_us: i64,
    taken: bool,
    says: Result<(), Failure>,
}

/// Hands a message over besides Slack.
pub(crate) async fn elsewhere(by: ContactMethod, notice: &Notice<'_>) -> Result<(), Failure> {
    let body = match by {
        ContactMethod::Email => format!("{}\n{}", notice.subject(), notice.text()),
        ContactMethod::Webhook => notice.json().to_string(),
    };
    let mark = format!("T1/{}/page:{}", notice.incident.id, notice.page.id.0);
    let user = notice.page.to.user().map_or("UFALL", |user| user.as_str()).to_owned();
    let handed = Handed { mark, begun_us: with(|world| world.now_us).unwrap_or_default() };
    let fate = with(|world| world.hand_over(by, &handed, &body)).unwrap_or_else(|| unreachable!("there is a world"));
    sleep_us(fate.there_us).await;
    if fate.taken {
        with(|world| world.taken_outside(handed, &user));
    }
    sleep_us(fate.back_us).await;
    fate.says
}

async fn sleep_us(span_us: i64) {
    // Never one of the looks that may be passed over.
    real_sleep(std::time::Duration::from_micros(span_us.unsigned_abs())).await;
}

impl World {
    fn hand_over(&mut self, by: ContactMethod, handed: &Handed, body: &str) -> Fate {
        self.tell(format!("hands {} over by {}", handed.mark, by.word()));
        let mark = handed.mark.clone();
        self.look_at_page(&mark);
        self.look_for_secrets("a message by another way", body);
        self.look_for_private("another way than Slack", body);
        let away = self.scenario.outside_away.is_some_and(|(from, to)| (from..to).contains(&self.now_us));
        let fault = if away { Some(OutsideFault::NotNow) } else { self.faults.of_outside() };
        if let Some(fault) = fault {
            self.tell(format!("the other way: {fault:?}"));
            if fault == OutsideFault::LostAfter {
                self.trouble();
            }
        }
        let (there_us, back_us) = (self.dice.between(20_000, 900_000), self.dice.between(5_000, 200_000));
        let ordinary = Fate { there_us, back_us, taken: true, says: Ok(()) };
        match fault {
            None => ordinary,
            Some(OutsideFault::Slow) => Fate { there_us: 4 * SECOND, ..ordinary },
            Some(OutsideFault::Refused) => {
                Fate { taken: false, says: Err(Failure::Refused("it was refused".to_owned())), ..ordinary }
            }
            Some(OutsideFault::NotNow) => {
                Fate { taken: false, says: Err(Failure::NotNow("not now".to_owned())), ..ordinary }
            }
            Some(fault @ (OutsideFault::LostBefore | OutsideFault::LostAfter)) => Fate {
                back_us: 4 * SECOND,
                taken: fault == OutsideFault::LostAfter,
                says: Err(Failure::Unknown("nobody answered".to_owned())),
                ..ordinary
            },
        }
    }

    fn taken_outside(&mut self, handed: Handed, user: &str) {
        let first = self.outside.iter().find(|earlier| earlier.mark == handed.mark).map(|earlier| earlier.begun_us);
        if let Some(first_us) = first
            && !self.troubles.iter().any(|at| *at >= first_us)
        {
            self.broken("V3", format!("{} went out besides Slack twice, without a reason", handed.mark));
        }
        self.tell(format!("{} is taken besides Slack", handed.mark));
        let mark = handed.mark.clone();
        self.outside.push(handed);
        self.somebody_reads(&mark, user);
    }

    /// No secret is in what others may read.
    pub(super) fn look_for_secrets(&mut self, place: &str, text: &str) {
        if text.contains(CANARY) {
            self.broken("V14", format!("a secret is in {place}"));
        }
    }

    /// A link to answer is only where the page is that it answers: who has it, answers for somebody.
    pub(super) fn look_for_links(&mut self, place: &str, text: &str) {
        if text.contains(LINK) {
            self.broken("V14", format!("a link to answer is in {place}"));
        }
    }

    /// What a call to Slack shows to others than the members of a private incident's own channel.
    pub(super) fn look_at_words(&mut self, args: &Value) {
        let text = args.to_string();
        self.look_for_secrets("a call to Slack", &text);
        self.look_for_links("a call to Slack", &text);
        let channel = args.get("channel").and_then(Value::as_str).unwrap_or_default();
        if !self.slack.channels.get(channel).is_some_and(|found| found.private) {
            self.look_for_private(channel, &text);
        }
    }

    /// The words of a private incident, which begin with its requests' keys, are nowhere but in its own channel.
    pub(super) fn look_for_private(&mut self, place: &str, text: &str) {
        for word in text.split("delivery-").skip(1) {
            let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
            let Some(client) = digits.parse::<usize>().ok().and_then(|number| self.clients.get(number)) else {
                continue;
            };
            let Which::Slot(slot) = client.which else { continue };
            let private = self
                .clients
                .iter()
                .any(|other| other.which == Which::Slot(slot) && matches!(other.ask, Ask::Open { private: true, .. }));
            if private {
                return self.broken("V15", format!("words of a private incident reach {place}: delivery-{digits}"));
            }
        }
    }
}
