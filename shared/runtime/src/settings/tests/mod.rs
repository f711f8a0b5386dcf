//! Settings from text to verdict. The folders are made up: `/d/...` are folders, `/f` is a file, `/denied` cannot be looked at.

mod json;
mod places;
mod toml;
mod values;

use super::*;

const FOLDERS: [&str; 7] = ["/d", "/d/a", "/d/b", "/d/a/deep", "/d/table", "/d/table/inside", "/d/table_drops"];

fn look(address: &str) -> Place {
    let canonical = address.trim_end_matches('/').replace("/link", "/d");
    match canonical.as_str() {
        "/f" => Place::NoFolder,
        "/denied" => Place::Unknown("permission denied".to_owned()),
        folder if FOLDERS.contains(&folder) => Place::Folder(canonical),
        _ => Place::Vacant(canonical),
    }
}

fn judge(raw: &RawSettings) -> Result<Settings, Vec<SettingError>> {
    check(raw, &Surroundings { processors: 3, s3: true, look: &look })
}

/// The verdict over a file called `x.toml`.
fn judge_file(text: &str) -> Result<Settings, Vec<SettingError>> {
    file::read(text, "x.toml").and_then(|raw| judge(&raw))
}

/// The errors of a file, as the user reads them.
fn errors(text: &str) -> Vec<String> {
    judge_file(text).expect_err("the settings are wrong").iter().map(ToString::to_string).collect()
}

/// The only error of a pipeline that is right but for these lines.
fn error_of(lines: &str) -> String {
    let found = errors(&format!("[[pipeline]]\nsource = '/d/a'\ntable = '/t'\n{lines}\n"));
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}
