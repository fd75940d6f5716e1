//! A mail server of our own: SMTP over TCP, with the faults that real ones have.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// `\0firebell\0stage-smtp-password`, as AUTH PLAIN sends it.
const SIGNED_IN: &str = "AGZpcmViZWxsAHN0YWdlLXNtdHAtcGFzc3dvcmQ=";

/// What goes wrong from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// Hangs up at once.
    HangUp,
    /// Takes the connection and says nothing.
    Stall,
    /// "Come again later", to every recipient.
    TryLater,
    /// "No such mailbox", to every recipient.
    NoMailbox,
    /// Takes the whole message and hangs up without a receipt.
    DropAfterData,
}

/// A message as it was taken.
#[derive(Clone, Debug)]
pub struct Mail {
    pub to: String,
    pub from: String,
    /// Headers and body, with line feeds.
    pub text: String,
}

impl Mail {
    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        let headers = self.text.split("\n\n").next().unwrap_or_default();
        let found = headers.lines().find_map(|line| line.split_once(": ").filter(|(known, _)| *known == name));
        found.unwrap_or_else(|| panic!("no {name} in:\n{headers}")).1
    }

    /// The text as a mail program shows it.
    pub fn body(&self) -> String {
        let body = self.text.split_once("\n\n").expect("a body").1;
        if self.header("Content-Transfer-Encoding") == "quoted-printable" { readable(body) } else { body.to_owned() }
    }

    /// The path of the link to answer.
    pub fn answer_path(&self) -> String {
        let body = self.body();
        let line = body.lines().find(|line| line.contains("/ack/")).expect("a link to answer");
        line[line.find("/ack/").expect("was found")..].to_owned()
    }
}

/// Takes quoted-printable back (RFC 2045, 6.7).
fn readable(body: &str) -> String {
    let mut bytes = Vec::new();
    let mut parts = body.split('=');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let rest = match part.strip_prefix('\n') {
            Some(joined) => joined,
            None => {
                bytes.extend(hex::decode(&part[..2]).expect("two digits"));
                &part[2..]
            }
        };
        bytes.extend(rest.bytes());
    }
    String::from_utf8(bytes).expect("UTF-8")
}

#[derive(Default)]
struct State {
    mails: Vec<Mail>,
    fault: Option<MailFault>,
    connections: usize,
    signed_in: usize,
}

/// A running mail server; it ends when it is dropped.
pub struct MailServer {
    pub port: u16,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let _ = serve(stream, &state).await;
                });
            }
        });
        Self { port, state, task }
    }

    pub fn fails(&self, fault: MailFault) {
        self.state().fault = Some(fault);
    }

    pub fn recovers(&self) {
        self.state().fault = None;
    }

    /// What arrived for this address.
    pub fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.state().mails.iter().filter(|mail| mail.to == address).cloned().collect()
    }

    pub fn count(&self) -> usize {
        self.state().mails.len()
    }

    /// How often somebody has connected.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// How often somebody has given the right password.
    pub fn signed_in(&self) -> usize {
        self.state().signed_in
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Talk {
    lines: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    out: OwnedWriteHalf,
}

impl Talk {
    async fn says(&mut self, reply: &str) -> std::io::Result<()> {
        self.out.write_all(format!("{reply}\r\n").as_bytes()).await
    }
}

async fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let fault = {
        let mut state = state.lock().expect("nobody panics with it");
        state.connections += 1;
        state.fault
    };
    if fault == Some(MailFault::HangUp) {
        return Ok(());
    }
    let (read, out) = stream.into_split();
    let mut talk = Talk { lines: BufReader::new(read).lines(), out };
    if fault == Some(MailFault::Stall) {
        while talk.lines.next_line().await?.is_some() {}
        return Ok(());
    }
    talk.says("220 mail.test ESMTP").await?;
    let (mut from, mut to, mut signed_in) = (String::new(), String::new(), false);
    while let Some(line) = talk.lines.next_line().await? {
        let command = line.to_ascii_uppercase();
        let address = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        if command.starts_with("EHLO ") {
            talk.says("250-mail.test").await?;
            talk.says("250-8BITMIME").await?;
            talk.says("250 AUTH PLAIN LOGIN").await?;
        } else if command.starts_with("AUTH PLAIN ") {
            signed_in = line.ends_with(SIGNED_IN);
            state.lock().expect("nobody panics with it").signed_in += usize::from(signed_in);
            talk.says(if signed_in { "235 welcome" } else { "535 wrong password" }).await?;
        } else if command.starts_with("MAIL FROM:") {
            from = address();
            talk.says(if signed_in { "250 ok" } else { "530 sign in first" }).await?;
        } else if command.starts_with("RCPT TO:") {
            to = address();
            let reply = match fault {
                Some(MailFault::TryLater) => "451 4.3.0 try later",
                Some(MailFault::NoMailbox) => "550 5.1.1 no such mailbox",
                _ => "250 ok",
            };
            talk.says(reply).await?;
        } else if command == "DATA" {
            talk.says("354 go ahead").await?;
            let mut text = String::new();
            while let Some(line) = talk.lines.next_line().await? {
                if line == "." {
                    break;
                }
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                text.push('\n');
            }
            let mail = Mail { to: to.clone(), from: from.clone(), text };
            state.lock().expect("nobody panics with it").mails.push(mail);
            if fault == Some(MailFault::DropAfterData) {
                return Ok(());
            }
            talk.says("250 taken").await?;
        } else if command == "QUIT" {
            return talk.says("221 bye").await;
        } else {
            talk.says("502 what?").await?;
        }
    }
    Ok(())
}
