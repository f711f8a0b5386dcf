//! The closing lines of test harnesses, added up: Rust's `test result: ok. 3 passed; 0 failed; 1 ignored; ...`, and Terraform's
//! `Success! 3 passed, 0 failed.`

/// Tests over several closing lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that were not run because they are marked so.
    pub ignored: u64,
}

impl Totals {
    /// Takes one line of output, and counts it if it is a closing line.
    pub fn read(&mut self, line: &str) {
        let line = line.trim_start();
        // Cargo's words, and Terraform's.
        let starts = ["test result: ", "Success! ", "Failure! "];
        let Some(rest) = starts.iter().find_map(|start| line.strip_prefix(start)) else { return };
        for part in rest.split([';', '.', ',']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next().and_then(|word| word.parse::<u64>().ok()), words.next())
            else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Adds what another command counted.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    /// Nothing passes because it was skipped: at least one test ran, none was ignored, none failed.
    ///
    /// # Errors
    /// Which of these does not hold.
    pub fn check(&self, what: &str, succeeded: bool) -> Result<(), String> {
        if self.failed > 0 {
            return Err(format!("{what}: {} tests failed", self.failed));
        }
        if !succeeded {
            return Err(format!("{what}: cargo failed; its messages are above"));
        }
        if self.ignored > 0 {
            return Err(format!(
                "{what}: {} tests are marked `ignore`, and a test that is not run proves nothing",
                self.ignored
            ));
        }
        if self.passed == 0 {
            return Err(format!("{what}: no test ran"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Totals {
        let mut totals = Totals::default();
        lines.lines().for_each(|line| totals.read(line));
        totals
    }

    #[test]
    fn closing_lines_are_added_and_others_ignored() {
        let lines = "running 2 tests\n\
            test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.23s\n\
            test passed_the_result: ... ok\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s\n";
        assert_eq!(read(lines), Totals { passed: 15, failed: 2, ignored: 1 });
    }

    #[test]
    fn only_tests_that_ran_and_passed_are_good() {
        let good = Totals { passed: 1, failed: 0, ignored: 0 };
        assert!(good.check("x", true).is_ok());
        assert!(good.check("x", false).is_err());
        assert!(Totals { failed: 1, ..good }.check("x", true).is_err());
        assert!(Totals { ignored: 1, ..good }.check("x", true).is_err());
        assert!(Totals::default().check("x", true).is_err());
    }
}
