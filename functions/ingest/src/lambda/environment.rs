use std::time::Duration;

use runtime::settings::{S3Address, parse_duration};

use crate::receive::Budget;

/// A little more than the longest time that Lambda gives an invocation.
const DEFAULT_CLAIM_TIME: Duration = Duration::from_secs(16 * 60);

/// What the function's environment says. All else is in the settings object: Lambda's environment holds 4 KB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Where the settings object lies (`LITHIFY_SETTINGS`).
    pub settings: S3Address,
    /// After what time a claim is old (`LITHIFY_CLAIM_TIME`; 16 minutes).
    pub claim_time: Duration,
    /// Whether this is the function for large drops (`LITHIFY_LARGE`, 1 or true).
    pub is_large: bool,
    /// The shares of its memory (`AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, which Lambda sets).
    pub budget: Budget,
}

impl Environment {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let given = |name: &str| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let settings = match given("LITHIFY_SETTINGS") {
            Some(text) => S3Address::parse(&text).map_err(|e| format!("LITHIFY_SETTINGS: {e}")),
            None => Err("LITHIFY_SETTINGS is not set: write the settings object's address, s3://BUCKET/KEY".to_owned()),
        };
        let claim_time = match given("LITHIFY_CLAIM_TIME") {
            Some(text) => parse_duration(&text).map_err(|e| format!("LITHIFY_CLAIM_TIME: {e}")),
            None => Ok(DEFAULT_CLAIM_TIME),
        };
        let is_large = match given("LITHIFY_LARGE").as_deref() {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(other) => Err(format!("LITHIFY_LARGE: '{other}' is neither 1 nor 0")),
        };
        let memory = given("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|text| text.parse::<u64>().ok());
        let budget = Budget::of(memory.map(|mebibytes| mebibytes << 20));
        match (settings, claim_time, is_large) {
            (Ok(settings), Ok(claim_time), Ok(is_large)) => Ok(Self { settings, claim_time, is_large, budget }),
            (settings, claim_time, is_large) => {
                let faults = [settings.err(), claim_time.err(), is_large.err()];
                Err(faults.into_iter().flatten().collect::<Vec<_>>().join("; "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, String> {
        Environment::read(&|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn reads_what_terraform_sets() {
        let found = read(&[
            ("LITHIFY_SETTINGS", "s3://bucket/lithify/settings.json"),
            ("LITHIFY_CLAIM_TIME", "3m"),
            ("LITHIFY_LARGE", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ]);
        let found = found.expect("right");
        assert_eq!((found.settings.bucket.as_str(), found.settings.path.as_str()), ("bucket", "lithify/settings.json"));
        assert_eq!((found.claim_time, found.is_large), (Duration::from_secs(180), true));
        assert!(found.budget.run > read(&[("LITHIFY_SETTINGS", "s3://bucket/x")]).expect("right").budget.run);
    }

    #[test]
    fn names_all_faults_at_once() {
        let faults = read(&[("LITHIFY_CLAIM_TIME", "soon"), ("LITHIFY_LARGE", "yes")]).expect_err("wrong");
        for name in ["LITHIFY_SETTINGS is not set", "LITHIFY_CLAIM_TIME: 'soon'", "LITHIFY_LARGE: 'yes'"] {
            assert!(faults.contains(name), "{faults}");
        }
    }
}
