//! Where webhooks may lead, and what becomes of their answers.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use firebell::elsewhere::Failure;
use firebell::elsewhere::webhook::{Lookup, Webhooks};
use futures_util::FutureExt as _;
use secrecy::SecretString;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::support::receiver::{Manner, Receiver};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_680_462_000, 0).expect("in range")
}

/// Every name leads to the next of these lists; the last stays.
fn leads_to(answers: &[&[&str]]) -> Lookup {
    let lists = answers.iter().map(|list| list.iter().map(|ip| ip.parse().expect("an address")).collect());
    let lists: Arc<Mutex<VecDeque<Vec<IpAddr>>>> = Arc::new(Mutex::new(lists.collect()));
    Arc::new(move |_| {
        let mut lists = lists.lock().expect("nobody panics with it");
        let found = if lists.len() > 1 { lists.pop_front() } else { lists.front().cloned() };
        std::future::ready(found.ok_or_else(|| io::Error::other("no such name"))).boxed()
    })
}

fn webhooks(allow: &[&str], lookup: Lookup) -> Webhooks {
    let allow = allow.iter().map(|network| network.parse().expect("a network")).collect();
    Webhooks::with_lookup(SecretString::from("secret"), allow, lookup)
}

/// Calls that only this machine may be asked.
fn here() -> Webhooks {
    webhooks(&["127.0.0.1"], leads_to(&[]))
}

async fn post(webhooks: &Webhooks, url: &str) -> Result<(), Failure> {
    webhooks.post(url, "{}".into(), "T1.1.1", now()).await
}

#[tokio::test]
async fn names_that_lead_inside_are_refused_by_what_they_lead_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let url = format!("https://hooks.example.com:{port}/x");
    for inside in [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "::1",
        "fc00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
    ] {
        for list in [&[inside][..], &["93.184.216.34", inside]] {
            let refused = post(&webhooks(&[], leads_to(&[list])), &url).await;
            assert!(
                matches!(&refused, Err(Failure::Refused(why)) if why.contains("not public")),
                "{list:?}: {refused:?}"
            );
        }
    }
    assert!(listener.accept().now_or_never().is_none(), "nothing was connected to");
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut hello = vec![0; 4_096];
        let read = stream.read(&mut hello).await.expect("a greeting");
        hello.truncate(read);
        hello
    });
    // The first answer is allowed; a second look-up would lead elsewhere.
    let webhooks = webhooks(&["127.0.0.1"], leads_to(&[&["127.0.0.1"], &["10.0.0.1"]]));
    let url = format!("https://hooks.example.com:{port}/x");
    assert!(matches!(post(&webhooks, &url).await, Err(Failure::NotNow(_) | Failure::Unknown(_))), "it speaks no TLS");
    let hello = seen.await.expect("no panic");
    assert!(hello.windows(17).any(|part| part == b"hooks.example.com"), "the certificate must be that name's");
    // The next call looks again, and finds itself led inside.
    assert!(matches!(post(&webhooks, &url).await, Err(Failure::Refused(_))));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let receiver = Receiver::start().await;
    receiver.now(Manner::Redirects(format!("{}/metadata", receiver.url)));
    let refused = post(&here(), &format!("{}/x", receiver.url)).await;
    assert!(matches!(&refused, Err(Failure::Refused(why)) if why.contains("redirects")), "{refused:?}");
    assert_eq!((receiver.hooks("/x").len(), receiver.hooks("/metadata").len()), (1, 0));
}

#[tokio::test]
async fn an_answer_counts_by_its_status_and_its_text_is_read_no_further_than_needed() {
    let receiver = Receiver::start().await;
    let url = format!("{}/x?key=a%20b&c", receiver.url);
    for (status, expected) in [
        (200, "ok"),
        (204, "ok"),
        (301, "refused"),
        (401, "refused"),
        (404, "refused"),
        (410, "refused"),
        (408, "again"),
        (429, "again"),
        (500, "again"),
        (503, "again"),
    ] {
        receiver.now(Manner::Status(status));
        let outcome = match post(&here(), &url).await {
            Ok(()) => "ok",
            Err(Failure::Refused(_)) => "refused",
            Err(Failure::NotNow(_)) => "again",
            Err(Failure::Unknown(_)) => "unknown",
            Err(Failure::Busy) => "busy",
        };
        assert_eq!(outcome, expected, "{status}");
    }
    receiver.now(Manner::Talks(64 << 20));
    assert_eq!(post(&here(), &url).await, Ok(()));
    let hooks = receiver.hooks("/x?key=a%20b&c");
    assert_eq!(hooks.len(), 11);
    assert_eq!(hooks[0].header("host"), format!("127.0.0.1:{}", receiver.port));
    assert_eq!(hooks[0].header("content-type"), "application/json");
}

#[tokio::test]
async fn silence_is_not_waited_for_longer_than_five_seconds() {
    let receiver = Receiver::start().await;
    receiver.now(Manner::Stalls);
    let late = post(&here(), &format!("{}/x", receiver.url)).await;
    assert!(matches!(late, Err(Failure::Unknown(_))), "it may have been taken: {late:?}");
}

#[tokio::test]
async fn who_cannot_be_reached_or_found_is_tried_again() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let refused = post(&here(), &format!("http://127.0.0.1:{nobody}/x")).await;
    assert!(matches!(refused, Err(Failure::NotNow(_))), "{refused:?}");
    let unknown = post(&webhooks(&[], leads_to(&[])), "https://hooks.example.com/x").await;
    assert!(matches!(unknown, Err(Failure::NotNow(_))), "{unknown:?}");
}
