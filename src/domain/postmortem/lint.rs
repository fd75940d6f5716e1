//! Words that blame or say little, found in the fields that people write. Warns, never blocks.

use super::Sentence;
use super::about::{Source, field, field_name};
use crate::domain::incident::Field;
use crate::domain::reference::MARK;

/// A phrase and what to write instead. Phrases are matched as whole words, in any case.
const BLAME: [(&str, &str); 12] = [
    ("human error", "say what made the action possible"),
    ("operator error", "say what made the action possible"),
    ("user error", "say what made the action possible"),
    ("mistake by", "say what happened, not who did it"),
    ("careless", "say what happened"),
    ("forgot", "say what was not done and what would have shown it"),
    ("should have", "say what happened; what ought to happen is a measure"),
    ("could have", "say what happened; what ought to happen is a measure"),
    ("failed to", "say what happened instead"),
    ("obviously", "leave it out"),
    ("simply", "leave it out"),
    ("just", "leave it out"),
];

/// Phrases that make a measure or a task impossible to finish.
const VAGUE: [(&str, &str); 4] = [
    ("be more careful", "say what will be different"),
    ("investigate", "say which question is to be answered, and how"),
    ("improve monitoring", "say which signal is to alert"),
    ("make sure", "say what will enforce it"),
];

/// First words that show that a task is a topic, not an action.
const NOT_VERBS: [&str; 13] =
    ["a", "an", "the", "more", "better", "we", "somebody", "someone", "no", "should", "need", "needs", "new"];

/// All warnings, in the order of the document.
pub(super) fn warnings(source: &Source<'_>) -> Vec<Sentence> {
    let mut warnings = Vec::new();
    for subject in [Field::Impact, Field::AffectedDetail, Field::RootCause, Field::Resolution] {
        let Some(text) = source.field(subject) else { continue };
        let name = capitalised_name(subject);
        phrases(&name, &text, &BLAME, &field(subject), &mut warnings);
        if subject == Field::RootCause {
            if text.contains('@') {
                warnings.push(warning(&name, "names somebody", "name a role", &field(subject)));
            }
            if sentences(&text) > 1 {
                warnings.push(warning(
                    &name,
                    "is longer than a sentence",
                    "move the rest to the text",
                    &field(subject),
                ));
            }
        }
        let is_outage = source.field(Field::ImpactKind).is_none_or(|kind| kind.eq_ignore_ascii_case("outage"));
        if !is_outage && has_phrase(&text, "outage") {
            let hint = "the kind of impact says otherwise";
            warnings.push(warning(&name, "says “outage”", hint, &field(subject)));
        }
    }
    for (index, text) in source.incident.measures.iter().enumerate() {
        let (name, id) = (format!("Measure {}", index + 1), format!("measure:{}", index + 1));
        phrases(&name, text, &BLAME, &id, &mut warnings);
        phrases(&name, text, &VAGUE, &id, &mut warnings);
        if text.contains(MARK) || text.starts_with('@') || text.contains(" @") {
            warnings.push(warning(&name, "names somebody", "name a role; tasks have owners", &id));
        }
    }
    for task in source.incident.tasks.iter().filter(|task| !task.done) {
        let (name, id) = (format!("Task {}", task.number), format!("task:{}", task.number));
        phrases(&name, &task.text, &VAGUE, &id, &mut warnings);
        let first = task.text.split_whitespace().next().unwrap_or_default().to_lowercase();
        if NOT_VERBS.contains(&first.as_str()) {
            warnings.push(warning(&name, "does not begin with a verb", "say what is to be done", &id));
        }
    }
    if let (Some(start), Some(end)) = (source.moments.impact_start, source.moments.impact_end)
        && end.at < start.at
    {
        let sources = vec!["field:impact_start".to_owned(), "field:impact_end".to_owned()];
        warnings.push(Sentence::new("The impact ends before it starts: correct one of the two times.", sources));
    }
    warnings
}

fn phrases(name: &str, text: &str, list: &[(&str, &str)], source: &str, warnings: &mut Vec<Sentence>) {
    for (phrase, hint) in list.iter().filter(|(phrase, _)| has_phrase(text, phrase)) {
        warnings.push(warning(name, &format!("says “{phrase}”"), hint, source));
    }
}

fn warning(name: &str, what: &str, hint: &str, source: &str) -> Sentence {
    Sentence::new(format!("{name} {what}: {hint}."), vec![source.to_owned()])
}

fn capitalised_name(subject: Field) -> String {
    crate::domain::timeline::capitalised(&field_name(subject).replace('_', " "))
}

/// Whether the phrase stands in the text as whole words.
fn has_phrase(text: &str, phrase: &str) -> bool {
    let text = text.to_lowercase();
    text.match_indices(phrase).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + phrase.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// How many sentences a text has: full stops followed by a space and a capital letter, and one.
fn sentences(text: &str) -> usize {
    let ends = text
        .as_bytes()
        .windows(3)
        .filter(|three| matches!(three[0], b'.' | b'!' | b'?') && three[1] == b' ' && three[2].is_ascii_uppercase());
    ends.count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_whole_words() {
        assert!(has_phrase("He JUST restarted it", "just"));
        assert!(!has_phrase("adjusted the limit", "just"));
        assert!(has_phrase("It was human error.", "human error"));
        assert!(!has_phrase("ensured by a lock", "ensure"));
    }

    #[test]
    fn a_root_cause_of_two_sentences_is_counted() {
        assert_eq!(sentences("matrix.org lost its disk. The replica was behind"), 2);
        assert_eq!(sentences("Version 1.2.3 of matrix.org was wrong."), 1);
    }
}
