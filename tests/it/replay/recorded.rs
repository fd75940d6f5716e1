//! The recorded incidents of `tests/incidents`.

use std::path::PathBuf;

use serde_json::Value;

use super::played;

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_incident_comes_out_as_it_was_written_down() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/incidents");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut wrong = String::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let recording: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        if let Err(differs) = played(name, &recording).await {
            wrong.push_str(&differs);
        }
    }
    assert_eq!(wrong, "");
}
