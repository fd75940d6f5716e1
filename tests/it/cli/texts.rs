//! What needs neither Slack nor a database: the overview, the help, the configuration, the manifest, keys.

use sha2::{Digest, Sha256};

use super::{Shell, ours};

#[test]
fn without_a_subcommand_it_says_what_to_try_first() {
    let ran = Shell::new().run(&[]);
    assert_eq!(ran.status, 0);
    insta::assert_snapshot!(ran.out);
}

#[test]
fn every_subcommand_explains_itself() {
    for name in [
        "demo",
        "serve",
        "check",
        "doctor",
        "manifest",
        "key",
        "export",
        "verify",
        "export-user",
        "erase-user",
        "replay",
        "sandbox",
    ] {
        let ran = Shell::new().run(&[name, "--help"]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{name}");
        insta::assert_snapshot!(format!("help_{name}"), ran.out);
    }
}

#[test]
fn what_is_typed_wrong_ends_with_2_and_says_where_help_is() {
    for (args, says) in [
        (&["exprot"][..], "some similar subcommands exist: 'export-user', 'export'"),
        (&["verify", "first"], "write the incident's number, such as 42 or INC-42"),
        (&["export", "1", "--all"], "cannot be used with"),
        (&["export", "--all", "--format", "pdf"], "write md, html or json"),
    ] {
        let ran = Shell::new().run(args);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains(says), "{}", ran.err);
    }
}

#[test]
fn check_explains_the_example_and_ends_with_0() {
    let ran = Shell::new().run(&["check", &ours("firebell.example.toml")]);
    let named = Shell::new().run(&["check", "--config", &ours("firebell.example.toml")]);
    assert_eq!((named.status, &named.out), (0, &ran.out));
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("1. @dana for 5 min, then tier 2"), "{}", ran.out);
}

#[test]
fn check_tells_all_mistakes_with_their_lines_and_ends_with_2() {
    let shell = Shell::new();
    shell.write("firebell.toml", "[slack]\nmode = \"http2\"\n\n[server]\nbindd = \"127.0.0.1:80\"\n");
    let ran = shell.run(&["check"]);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("firebell.toml:2") && ran.err.contains("firebell.toml:5"), "{}", ran.err);
    assert!(!ran.err.contains('\u{1b}'), "no colour where nobody looks");
}

#[test]
fn without_a_configuration_the_way_to_one_is_told() {
    for args in [&["check"][..], &["serve"], &["doctor"], &["verify"], &["export", "1"]] {
        let ran = Shell::new().run(args);
        assert_eq!(ran.status, 2, "{args:?}");
        assert!(ran.err.contains("firebell.example.toml"), "{}", ran.err);
    }
}

#[test]
fn serve_without_tokens_names_them_and_ends_with_2() {
    let shell = Shell::new();
    std::fs::copy(ours("firebell.example.toml"), shell.path("firebell.toml")).unwrap();
    let ran = shell.run(&["serve"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("Missing: SLACK_BOT_TOKEN, SLACK_APP_TOKEN."), "{}", ran.err);
}

#[test]
fn the_manifest_is_the_one_in_the_repository() {
    let ran = Shell::new().run(&["manifest"]);
    assert_eq!(ran.status, 0);
    assert_eq!(ran.out, std::fs::read_to_string(ours("app-manifest.yml")).unwrap());
    let http = Shell::new().run(&["manifest", "--url", "https://bell.example.com"]);
    assert!(http.out.contains("request_url: https://bell.example.com/slack/interactions\n"), "{}", http.out);
    let refused = Shell::new().run(&["manifest", "--url", "http://bell.example.com"]);
    assert_eq!((refused.status, refused.out.as_str()), (2, ""));
}

#[test]
fn a_key_is_new_each_time_and_its_sum_is_what_the_configuration_takes() {
    let key = |out: &str| -> (String, String) {
        let mut lines = out.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned);
        (lines.next().unwrap(), lines.next().unwrap())
    };
    let shell = Shell::new();
    let ran = shell.run(&["key"]);
    let (secret, line) = key(&ran.out);
    assert_eq!(secret.len(), 64);
    assert_eq!(line, format!("key_sha256 = \"{}\"", hex::encode(Sha256::digest(&secret))));
    assert_ne!(key(&shell.run(&["key"]).out).0, secret);
    let config =
        format!("[fallback]\ntargets = [\"@ana\"]\n\n[[integrations]]\nkey = \"script\"\nkind = \"generic\"\n{line}\n");
    shell.write("firebell.toml", &config);
    assert_eq!(shell.run(&["check"]).status, 0);
}
