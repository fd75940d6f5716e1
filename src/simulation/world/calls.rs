//! Calls to Slack: what becomes of them, and the people who read what came of them.

use super::*;

impl World {
    pub(super) fn send(&mut self, method: String, args: Value) -> u64 {
        self.look_at_words(&args);
        let id = self.number();
        let host = self.current.map_or(0, |who| who.host);
        self.look_at_manners(host, &method, &args);
        let mut fault = self.faults.of_call();
        if fault == Some(CallFault::Lie) && method != "chat.postMessage" {
            fault = None;
        }
        if self.scenario.slack_away.is_some_and(|(from, to)| (from..to).contains(&self.now_us)) {
            fault = Some(*self.dice.pick(&[CallFault::LostBefore, CallFault::BrokenBefore, CallFault::Unavailable]));
        }
        let marks = slack::marks(&args);
        let said = fault.map_or_else(String::new, |fault| format!("{fault:?}"));
        self.tell(format!("calls {method} {} {said}", marks.join(" ")));
        for mark in &marks {
            self.look_at_page(mark);
        }
        let slow = self.scenario.slow_slack;
        let there = self.dice.between(5_000, if slow { 900_000 } else { 120_000 });
        match fault {
            Some(CallFault::LostBefore) => {}
            Some(CallFault::BrokenBefore | CallFault::TooMany | CallFault::Failed | CallFault::Unavailable) => {
                self.plan_in(there, Happening::Answer(id));
            }
            Some(CallFault::Late) => {
                for mark in marks {
                    *self.excused.entry(mark).or_default() += 1;
                }
                self.plan_in(5 * SECOND + there, Happening::Accept(id));
            }
            Some(CallFault::Slow) => self.plan_in(2 * SECOND + there, Happening::Accept(id)),
            Some(
                CallFault::LostAfter
                | CallFault::BrokenAfter
                | CallFault::FailedAfter
                | CallFault::Truncated
                | CallFault::Lie,
            )
            | None => self.plan_in(there, Happening::Accept(id)),
        }
        if fault.is_some() && fault != Some(CallFault::Slow) {
            self.lost_sight(&method, &args);
        }
        self.calls.insert(
            id,
            Call { method, args, host, fault, too_many: None, reply: Value::Null, answer: None, waker: None },
        );
        id
    }

    /// No call breaks a limit of Slack's: of texts and blocks, or of how often one program may call.
    fn look_at_manners(&mut self, host: usize, method: &str, args: &Value) {
        if let Some(mistake) = strict::mistake(method, args) {
            self.broken("V13", format!("Slack does not take this {method}: {mistake}"));
        }
        let now = self.wall(None);
        let found = &mut self.hosts[host];
        if self.now_us >= found.uncounted_until_us
            && self.scenario.steps.is_empty()
            && strict::count(&mut found.calls, method, args, now).is_err()
        {
            self.broken("V13", format!("{method} is called more often than Slack allows"));
        }
    }

    /// Whoever cannot look whether a message is there may send it again.
    fn lost_sight(&mut self, method: &str, args: &Value) {
        let text = |key: &str| args.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let place = match method {
            "conversations.history" | "conversations.replies" => text("channel"),
            "conversations.open" => format!("D{}", text("users")),
            _ => return,
        };
        *self.blind.entry(place).or_default() += 1;
    }

    /// No page goes out long after somebody has it, or so late that people must be asked first.
    pub(in crate::simulation) fn look_at_page(&mut self, mark: &str) {
        let Some(page) = page_of(mark) else { return };
        let ask_after = self.scenario.roster.ask_after.0.num_microseconds().unwrap_or(i64::MAX / 2);
        if let Some(due) = self.due.get(&page)
            && self.scenario.steps.is_empty()
            && self.now_us - due > ask_after + LEASE
        {
            let late_s = (self.now_us - due) / SECOND;
            self.broken("G1", format!("{mark} is sent {late_s} s late, and nobody was asked"));
        }
        let lease_us = self.leases.get(mark).copied().unwrap_or(i64::MAX);
        if self.scenario.steps.is_empty() && self.now_us > lease_us {
            let late_ms = (self.now_us - lease_us) / 1_000;
            self.broken("V4", format!("{mark} is sent {late_ms} ms after its lease has run out"));
        }
        if let Some(since) = self.over.get(&page)
            && self.scenario.steps.is_empty()
            && self.now_us - since > LEASE
        {
            let late_s = (self.now_us - since) / SECOND;
            self.broken("V4", format!("{mark} is sent {late_s} s after nobody needed it any more"));
        }
    }

    pub(in crate::simulation) fn accept(&mut self, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        let (method, args, fault, host) = (call.method.clone(), call.args.clone(), call.fault, call.host);
        let taken = self.slack.ledger.len();
        let at = self.wall(None);
        let now = at.timestamp_micros();
        let too_many = strict::count(&mut self.slack.limits, &method, &args, at).err();
        let reply = if too_many.is_some() {
            self.lost_sight(&method, &args);
            json!({ "ok": false, "error": "ratelimited" })
        } else if fault == Some(CallFault::Lie) {
            self.slack.post(&args, now, false)
        } else {
            self.slack.perform(&method, &args, now)
        };
        if fault == Some(CallFault::Late) && method == "chat.update" {
            self.slack.is_overtaken(&args);
        }
        let marks = slack::marks(&args);
        let ok = reply["ok"] == json!(true);
        self.tell(format!("Slack takes {method} of {host} {} {}", marks.join(" "), if ok { "" } else { "not" }));
        if self.slack.ledger.len() > taken && ok {
            for mark in &marks {
                self.somebody_reads(mark, args["channel"].as_str().unwrap_or_default());
            }
        }
        let back = self.dice.between(5_000, 80_000);
        let Some(call) = self.calls.get_mut(&id) else { return };
        (call.reply, call.too_many) = (reply, too_many);
        match fault {
            Some(CallFault::LostAfter | CallFault::Late) => {
                self.calls.remove(&id);
            }
            _ => self.plan_in(back, Happening::Answer(id)),
        }
    }

    pub(in crate::simulation) fn answer(&mut self, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let respond = |status: u16, body: Vec<u8>| Response::builder().status(status).body(Bytes::from(body));
        let text = call.reply.to_string().into_bytes();
        let response = match call.fault {
            Some(CallFault::BrokenBefore | CallFault::BrokenAfter) => None,
            Some(CallFault::TooMany) => {
                let after_s = self.dice.between(1, 20);
                Some(Response::builder().status(429).header("retry-after", after_s).body(Bytes::new()))
            }
            Some(CallFault::Failed | CallFault::FailedAfter) => Some(respond(500, Vec::new())),
            Some(CallFault::Unavailable) => Some(respond(503, Vec::new())),
            Some(CallFault::Truncated) => Some(respond(200, text[..text.len() / 2].to_vec())),
            _ => Some(match call.too_many {
                Some(after_s) => {
                    self.saw("calls that came too often");
                    Response::builder().status(429).header("retry-after", after_s).body(Bytes::from(text))
                }
                None => respond(200, text),
            }),
        };
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.answer = Some(response.map_or_else(
            || Err("the connection broke".to_owned()),
            |response| response.map_err(|error| error.to_string()),
        ));
        if let Some(waker) = call.waker.take() {
            waker.wake();
        }
    }

    /// Somebody got a page, and perhaps does something about it.
    pub(in crate::simulation) fn somebody_reads(&mut self, mark: &str, to: &str) {
        let Some(about) = page_of(mark) else { return };
        // In the end nobody takes anything over that lapses and comes back, or there would be no rest.
        if self.now_us >= self.scenario.calm_at {
            return;
        }
        let (mood, page) = (self.scenario.mood, PageId(about.1));
        if let Some(calls) = self.questions.get(&about).cloned() {
            return self.somebody_is_asked(about, to, &calls);
        }
        if !to.starts_with('U') {
            return;
        }
        let ask = if self.dice.chance(mood.acknowledge) {
            Ask::Acknowledge { page: Some(page) }
        } else if self.dice.chance(mood.decline) {
            let generation = self.generations.get(&about).copied().unwrap_or_default();
            Ask::Decline { page, generation }
        } else {
            return;
        };
        self.wants(about.0, to, ask);
    }

    /// Somebody reads the question about calls on hold, and presses one button for each; in a channel it can be anybody.
    fn somebody_is_asked(&mut self, about: (i64, u32), to: &str, calls: &[(EscalationId, u32)]) {
        let by = if to.starts_with('U') { to } else { *self.dice.pick(&PEOPLE) };
        let [page_now, end, take] = self.scenario.mood.asked;
        for (escalation, generation) in calls.iter().copied() {
            let chance = self.dice.below(10_000);
            let chance = u32::try_from(chance).unwrap_or_default();
            if chance < page_now {
                self.wants(about.0, by, Ask::PageNow { escalation, generation });
            } else if chance < page_now + end {
                self.wants(about.0, by, Ask::EndCall { escalation, generation });
            } else if chance < page_now + end + take {
                self.wants(about.0, by, Ask::Acknowledge { page: Some(PageId(about.1)) });
            }
        }
    }

    fn wants(&mut self, incident: i64, by: &str, ask: Ask) {
        let key = format!("delivery-{}", self.clients.len());
        let which = Which::Known(IncidentId(incident));
        self.clients.push(Client::new(key, which, by, ask));
        let client = self.clients.len() - 1;
        let after = self.dice.between(SECOND, self.scenario.mood.slowest_s * SECOND);
        self.plan_in(after, Happening::Ask { client, again: false });
    }

    /// A client has an answer, the first or the same once more.
    pub(in crate::simulation) fn answered(&mut self, client: usize, answer: Result<Answer, String>) {
        let said = format!("{answer:?}");
        self.tell(format!("client {client} hears {said}"));
        let found = &mut self.clients[client];
        let Ok(answer) = answer else { return };
        if let (Ask::Open { .. } | Ask::Alert, Which::Slot(slot), Some(incident)) =
            (&found.ask, found.which, answer.incident)
        {
            self.slots.insert(slot, incident);
        }
        let before = found.answer.replace(answer.clone());
        if before.is_some_and(|before| before != answer) {
            self.broken("V9", format!("client {client} was told two different things about one delivery"));
        }
    }
}
