//! What a release has and a build for tests has not, and the other way round: a linker that keeps one copy of functions that
//! came out the same, where it knows how (a twentieth of the binary), and places to die in (`src/crash.rs`).

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

const FOLD: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    println!("cargo:rustc-check-cfg=cfg(crash_points)");
    if env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        println!("cargo:rustc-cfg=crash_points");
    } else if linker_folds() {
        println!("cargo:rustc-link-arg-bins={FOLD}");
    }
}

/// Links an empty program with the option, as cargo would link ours.
fn linker_folds() -> bool {
    let (Ok(out), Ok(rustc), Ok(target)) = (env::var("OUT_DIR"), env::var("RUSTC"), env::var("TARGET")) else {
        return false;
    };
    let source = Path::new(&out).join("empty.rs");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut link = Command::new(rustc);
    link.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()))
        .args(["--target", &target, "-C", &format!("link-arg={FOLD}"), "--out-dir", &out])
        .arg(&source)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        link.args(["-C", &format!("linker={linker}")]);
    }
    fs::write(&source, "fn main() {}\n").is_ok() && link.status().is_ok_and(|status| status.success())
}
