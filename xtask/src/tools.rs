//! What the machine must have, checked before any work: everything missing in one message, with the command that brings it.

use std::process::{Command, Stdio};

use crate::Outcome;

/// Something that must be there.
struct Tool {
    /// How a person calls it.
    name: String,
    /// Whether it is there.
    found: bool,
    /// What brings it: a Debian package, or a whole command after `$ `.
    from: &'static str,
}

/// Checks what all commands need.
///
/// # Errors
/// One text that names everything missing.
pub fn check() -> Outcome {
    verdict(&basic())
}

/// Checks what `cargo xtask test` needs: DynamoDB Local takes a Java that runs its launcher from the source, and Maven, which
/// brings it.
///
/// # Errors
/// As [`check`].
pub fn check_for_tests() -> Outcome {
    let mut tools = basic();
    tools.push(Tool {
        name: "a Java development kit, version 17 or newer".into(),
        // 17 is the first that knows this option of the compiler.
        found: answers("javac", &["--release", "17", "--version"]),
        from: "default-jdk-headless",
    });
    tools.push(Tool {
        name: "go, which builds the tests' S3 server".into(),
        found: answers("go", &["version"]),
        from: "golang",
    });
    tools.push(Tool {
        name: "terraform, version 1.9 or newer".into(),
        found: answers("terraform", &["version"]),
        from: "$ see https://developer.hashicorp.com/terraform/install",
    });
    let localstack = ["python3", "python3.12", "python3.11", "python3.13"].iter().any(|python| {
        answers(
            python,
            &["-c", "import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"],
        )
    });
    tools.push(Tool {
        name: "python3, version 3.11 to 3.13, for LocalStack".into(),
        found: localstack,
        from: "python3.11",
    });
    tools.push(Tool { name: "mvn, Maven 3".into(), found: answers("mvn", &["--version"]), from: "maven" });
    verdict(&tools)
}

/// Checks what `cargo xtask fuzz` needs.
///
/// # Errors
/// As [`check`].
pub fn check_for_fuzzing() -> Outcome {
    verdict(&[Tool {
        name: "c++, a C++ compiler, which builds libFuzzer".into(),
        found: answers("c++", &["--version"]),
        from: "g++",
    }])
}

fn basic() -> Vec<Tool> {
    let component = |name: &str| answers("cargo", &[name, "--version"]);
    vec![
        Tool { name: "cargo fmt".into(), found: component("fmt"), from: "$ rustup component add rustfmt" },
        Tool { name: "cargo clippy".into(), found: component("clippy"), from: "$ rustup component add clippy" },
        Tool { name: "cc, a C compiler".into(), found: answers("cc", &["--version"]), from: "gcc" },
        python(3, 9),
        Tool {
            name: "Python's venv module".into(),
            found: answers("python3", &["-c", "import venv, ensurepip"]),
            from: "python3-venv",
        },
    ]
}

/// Checks for a Python of at least this version with `venv`, which the benchmarks' peers need.
///
/// # Errors
/// As [`check`].
pub fn check_python(major: u32, minor: u32) -> Outcome {
    verdict(&[python(major, minor)])
}

fn python(major: u32, minor: u32) -> Tool {
    let probe = format!("import sys; sys.exit(sys.version_info < ({major}, {minor}))");
    Tool {
        name: format!("python3, version {major}.{minor} or newer"),
        found: answers("python3", &["-c", &probe]),
        from: "python3",
    }
}

fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn verdict(tools: &[Tool]) -> Outcome {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| !tool.found).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|tool| tool.name.as_str()).collect();
    let mut packages: Vec<&str> = missing.iter().map(|tool| tool.from).filter(|from| !from.starts_with('$')).collect();
    packages.dedup();
    let mut commands: Vec<String> =
        missing.iter().filter_map(|tool| tool.from.strip_prefix("$ ")).map(str::to_owned).collect();
    if !packages.is_empty() {
        let packages = packages.join(" ");
        commands
            .push(format!("sudo apt-get install {packages}    (Debian, Ubuntu; elsewhere the package of that name)"));
    }
    Err(format!("this machine lacks: {}\nTo bring it:\n  {}", names.join("; "), commands.join("\n  ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_missing_is_in_one_message() {
        let tool = |name: &str, found, from| Tool { name: name.into(), found, from };
        assert!(verdict(&[tool("a", true, "a")]).is_ok());
        let list =
            [tool("cc", false, "gcc"), tool("x", true, "x"), tool("fmt", false, "$ rustup component add rustfmt")];
        let text = verdict(&list).unwrap_err();
        for part in ["lacks: cc; fmt", "apt-get install gcc", "\n  rustup component add rustfmt"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("$ "), "{text}");
    }

    #[test]
    fn a_program_that_is_absent_does_not_answer() {
        assert!(!answers("no-such-program-anywhere", &[]));
    }
}
