//! `firebell erase-user`: makes a person anonymous in the record.

use anyhow::bail;
use clap::Args;

use crate::cli::records::{self, Records};
use crate::cli::{self, Outcome};
use crate::clock::Clock;
use crate::domain::timeline::people::listed;
use crate::erasure::{self, Found};
use crate::ids::{IncidentId, UserId};
use crate::program::BOT_KEY;
use crate::store::{Tx, history, incidents, people, settings};

/// Most incidents that are named one by one.
const NAMED_MAX: usize = 12;
/// From here on a name is like enough to be meant.
const LIKENESS_MIN: f64 = 0.75;

/// Said whenever somebody was made anonymous.
const NOT_REACHED: &str = "Not reached by this: messages in Slack, backups of the database, the program's log, and \
                           documents that were copied or sent elsewhere.";

/// Make a person anonymous in everything that is kept of them.
///
/// A pseudonym, such as "former user 1", takes the place of their id and their names in every timeline, document and remembered
/// answer. What stood there before is gone for good, and `firebell verify` still finds every chain whole. Each timeline that
/// named them says that somebody was made anonymous, and not whom. Documents in the export directory are made again.
/// Firebell may run meanwhile. Whoever stands in firebell.toml or is being called is refused. Without --yes it only says
/// what it would do.
#[derive(Debug, Args)]
pub struct EraseUserArgs {
    /// The person's id in Slack, such as U024BE7LH: "Copy member ID" in their profile
    #[arg(value_name = "USER", value_parser = parse_user)]
    user: UserId,
    /// Another name to take out of texts, such as a full name or an address; can be given again
    #[arg(long, value_name = "NAME")]
    also: Vec<String>,
    /// Do it; it cannot be undone
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    from: records::From,
}

/// Erases, or says what would be erased.
pub async fn run(args: EraseUserArgs) -> anyhow::Result<Outcome> {
    let opened = if args.yes { records::open_to_write(&args.from).await? } else { records::open(&args.from).await? };
    let Some(records) = opened else { return Ok(Outcome::BadInput) };
    let (user, now) = (&args.user, Clock::System.now());
    let mut tx = records.db.read().await?;
    if settings::get(&mut tx, BOT_KEY).await?.as_deref() == Some(user.as_str()) {
        bail!("{user} is Firebell itself.");
    }
    let found = erasure::find(&mut tx, &records.workspace, user, &args.also).await?;
    if found.is_nothing() {
        return unknown(&mut tx, &records, user).await;
    }
    drop(tx);
    refuse(&records, &found)?;
    if !args.yes {
        records.db.close().await;
        cli::say(&told(&found))?;
        eprintln!("Nothing was changed. It cannot be undone: add --yes to do it. {NOT_REACHED}");
        return Ok(Outcome::Done);
    }
    // Before the record: what people wrote into documents becomes part of it when they are made again.
    let pseudonym = erasure::pseudonym(&records.db, &records.workspace, user).await?;
    let words = found.words.instead(&pseudonym);
    records.documents.clean(words.names(), &|text| words.in_text(text))?;
    let done = erasure::erase(&records.db, &records.workspace, &found, now).await?;
    let mut tx = records.db.read().await?;
    let mut lines = vec![format!("{user} is “{pseudonym}” from now on.")];
    for (number, one) in &done.incidents {
        let entries = cli::count(one.entries, "entry", "entries");
        lines.push(format!("INC-{number}: {entries} written anew, head {}", one.head));
        remake(&mut tx, &records, one.id).await?;
    }
    drop(tx);
    records.db.close().await;
    cli::say(&(lines.join("\n") + "\n"))?;
    warn(&found, done.left.as_deref());
    Ok(Outcome::Done)
}

/// Whoever has a part to play must not be forgotten.
fn refuse(records: &Records, found: &Found) -> anyhow::Result<()> {
    let user = &found.user;
    let lines =
        records.config.as_ref().map(|config| config.lines_naming(user, found.words.names())).unwrap_or_default();
    if !lines.is_empty() {
        let lines: Vec<String> = lines.iter().map(|(number, line)| format!("  line {number}: {line}")).collect();
        bail!(
            "{user} is named in the configuration. Take them out there, restart Firebell, then run this again:\n{}",
            lines.join("\n")
        );
    }
    if let Some(why) = found.incidents.iter().find_map(|naming| naming.blocked.as_deref()) {
        bail!("{user} cannot be made anonymous now. {why}");
    }
    Ok(())
}

async fn remake(tx: &mut Tx, records: &Records, id: IncidentId) -> anyhow::Result<()> {
    let directory = people::load_directory(tx, &records.workspace).await?;
    let incident = incidents::load(tx, id).await?.incident;
    let history = history::load(tx, id).await?;
    let document = records.documents.postmortem(&incident, &history, &directory, Clock::System.now());
    records.documents.remake(&document)?;
    Ok(())
}

fn told(found: &Found) -> String {
    let names: Vec<String> = found.words.names().iter().map(|name| format!("“{name}”")).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let mut lines = vec![format!("{}{names} would be made anonymous.", found.user)];
    lines.extend(found.incidents.iter().take(NAMED_MAX).map(|naming| {
        let entries = cli::count(naming.entries, "entry", "entries");
        format!("INC-{}: {entries} would be written anew", naming.number)
    }));
    let more = found.incidents.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        lines.push(format!("and in {} more", cli::count(more, "incident", "incidents")));
    }
    if found.answers > 0 {
        lines.push(format!(
            "{} would be written anew",
            cli::count(found.answers, "remembered answer", "remembered answers")
        ));
    }
    if !found.groups.is_empty() {
        let groups: Vec<String> = found.groups.iter().map(|handle| format!("@{handle}")).collect();
        lines.push(format!("They would be forgotten as a member of {}", listed(&groups)));
    }
    lines.extend(found.shared.iter().map(|name| {
        format!("“{name}” is somebody else's name too and would stay in texts; --also \"{name}\" takes it out")
    }));
    if found.person.is_some() {
        lines.push("What Slack said of them would be forgotten".to_owned());
    }
    lines.join("\n") + "\n"
}

fn warn(found: &Found, left: Option<&str>) {
    eprintln!("{NOT_REACHED}");
    if found.person.as_ref().is_some_and(|person| !person.deactivated) {
        eprintln!(
            "Slack still has them as an active member: as long as that is so, a running Firebell keeps their name as it does \
             everybody's. Deactivate the account, then run this again."
        );
    }
    if let Some(left) = left {
        eprintln!("{left}");
    }
}

/// Says that nobody of that id is known, and who may be meant.
pub(super) async fn unknown(tx: &mut Tx, records: &Records, user: &UserId) -> anyhow::Result<Outcome> {
    let directory = people::load_directory(tx, &records.workspace).await?;
    let likeness = |id: &UserId| strsim::jaro_winkler(id.as_str(), user.as_str());
    let near = directory.people.values().map(|person| (likeness(&person.id), person));
    let near = near.filter(|(like, _)| *like >= LIKENESS_MIN).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = near.map_or_else(
        || "Copy the id from their profile in Slack: “Copy member ID”.".to_owned(),
        |(_, person)| format!("Did you mean {} ({})?", person.id, person.name),
    );
    eprintln!("Nothing is kept of {user}. {hint}");
    Ok(Outcome::BadInput)
}

/// An id as Slack makes them; anything else might be found within other words.
pub(super) fn parse_user(word: &str) -> Result<UserId, String> {
    let is_id = word.starts_with(['U', 'W'])
        && word.len() >= 6
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if is_id {
        Ok(UserId::new(word))
    } else {
        Err("write the id, such as U024BE7LH: “Copy member ID” in the person's profile in Slack".to_owned())
    }
}
