//! Completions for shells.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;

/// Writes the completions of `lithify` for a shell, with `json` as an object that holds them. To memory first: the generator panics where its output breaks off.
pub fn write(shell: Shell, json: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lithify", &mut script);
    if json {
        let object = serde_json::json!({ "shell": shell.to_string(), "script": String::from_utf8_lossy(&script) });
        script = format!("{object}\n").into_bytes();
    }
    out.write_all(&script)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_gets_a_script_that_knows_the_flags() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let mut script = Vec::new();
            write(shell, false, &mut script).expect("written to memory");
            let script = String::from_utf8(script).expect("text");
            assert!(
                script.contains("lithify") && script.contains("target-file-size") && script.contains("status"),
                "{shell}"
            );
        }
    }
}
