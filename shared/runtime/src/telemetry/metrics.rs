//! Metrics as log lines that CloudWatch reads: no request, nothing to wait for.
//!
//! Source: "Specification: Embedded metric format" in CloudWatch's user guide. A line is one JSON object: `_aws` names the metrics and their
//! dimensions, values are members beside it; at most 100 metrics a line and 100 values a metric.

use std::collections::BTreeMap;
use std::io::{self, Write};

use drops::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Lithify";

/// The most values that a line carries of one metric.
const VALUES: usize = 100;

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

impl Unit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
        }
    }
}

/// Dimensions of one line: names with values. None at all: the metric as a whole.
type Dimensions = Vec<(&'static str, String)>;

/// Collects metrics, and writes one line for each set of dimensions when it is flushed.
#[derive(Debug, Default)]
pub struct Metrics {
    sums: BTreeMap<(Dimensions, &'static str), (u64, Unit)>,
    values: BTreeMap<(Dimensions, &'static str), (Vec<u64>, Unit)>,
}

impl Metrics {
    /// Adds to the sum of a pipeline, or of the function as a whole.
    pub fn add(&mut self, pipeline: Option<&str>, name: &'static str, unit: Unit, amount: u64) {
        self.sums.entry((of(pipeline), name)).or_insert((0, unit)).0 += amount;
    }

    /// Notes one value: CloudWatch shows the least, the greatest and the percentiles.
    pub fn observe(&mut self, pipeline: Option<&str>, name: &'static str, unit: Unit, value: u64) {
        self.values.entry((of(pipeline), name)).or_insert_with(|| (Vec::new(), unit)).0.push(value);
    }

    /// Notes requests to a service.
    pub fn requests(&mut self, sent: Vec<((String, String), u64)>) {
        for ((service, operation), amount) in sent {
            let dimensions = vec![("service", service), ("operation", operation)];
            self.sums.entry((dimensions, "Requests")).or_insert((0, Unit::Count)).0 += amount;
        }
    }

    /// Writes what was collected, and begins anew. Of a metric with more than a hundred values a hundred are written, evenly spread
    /// over their order, so that percentiles stay true and the number of samples does not.
    ///
    /// # Errors
    /// What the writer said.
    pub fn flush(&mut self, now: Timestamp, to: &mut dyn Write) -> io::Result<()> {
        let mut lines: BTreeMap<Dimensions, Vec<(&'static str, Unit, Value)>> = BTreeMap::new();
        for ((dimensions, name), (sum, unit)) in std::mem::take(&mut self.sums) {
            lines.entry(dimensions).or_default().push((name, unit, json!(sum)));
        }
        for ((dimensions, name), (values, unit)) in std::mem::take(&mut self.values) {
            lines.entry(dimensions).or_default().push((name, unit, json!(spread(values))));
        }
        for (dimensions, metrics) in lines {
            // One write a line: other lines of this process do not tear it.
            to.write_all(format!("{}\n", line(now, &dimensions, metrics)).as_bytes())?;
        }
        to.flush()
    }
}

fn of(pipeline: Option<&str>) -> Dimensions {
    pipeline.map(|name| ("pipeline", name.to_owned())).into_iter().collect()
}

fn line(now: Timestamp, dimensions: &Dimensions, metrics: Vec<(&'static str, Unit, Value)>) -> Value {
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    // With its dimensions, and once more without any: the sum over all of them.
    let sets = if names.is_empty() { vec![names] } else { vec![names, Vec::new()] };
    let described: Vec<Value> =
        metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit.as_str() })).collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.milliseconds(),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": sets, "Metrics": described }],
        }),
    );
    for (name, value) in dimensions {
        line.insert((*name).to_owned(), json!(value));
    }
    for (name, _, value) in metrics {
        line.insert(name.to_owned(), value);
    }
    Value::Object(line)
}

fn spread(mut values: Vec<u64>) -> Vec<u64> {
    if values.len() <= VALUES {
        return values;
    }
    values.sort_unstable();
    let last = values.len() - 1;
    (0..VALUES).map(|at| values[at * last / (VALUES - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(metrics: &mut Metrics) -> Vec<Value> {
        let mut written = Vec::new();
        metrics.flush(Timestamp(1_700_000_000_123_456), &mut written).expect("memory");
        let text = String::from_utf8(written).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn writes_what_cloudwatch_reads() {
        let mut metrics = Metrics::default();
        metrics.add(Some("orders"), "Drops", Unit::Count, 2);
        metrics.add(Some("orders"), "Drops", Unit::Count, 3);
        metrics.observe(Some("orders"), "EventToStaged", Unit::Milliseconds, 900);
        metrics.add(None, "TestEvents", Unit::Count, 1);
        metrics.requests(vec![(("S3".to_owned(), "GetObject".to_owned()), 7)]);
        let lines = lines(&mut metrics);
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[0],
            json!({
                "_aws": { "Timestamp": 1_700_000_000_123_u64, "CloudWatchMetrics": [{
                    "Namespace": "Lithify", "Dimensions": [[]], "Metrics": [{ "Name": "TestEvents", "Unit": "Count" }] }] },
                "TestEvents": 1,
            })
        );
        assert_eq!(lines[1]["Drops"], 5);
        assert_eq!(lines[1]["EventToStaged"], json!([900]));
        assert_eq!(lines[1]["pipeline"], "orders");
        assert_eq!(lines[1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["pipeline"], []]));
        assert_eq!((&lines[2]["service"], &lines[2]["operation"]), (&json!("S3"), &json!("GetObject")));
        let mut again = Vec::new();
        metrics.flush(Timestamp(0), &mut again).expect("memory");
        assert!(again.is_empty(), "nothing is told twice");
    }

    #[test]
    fn a_thousand_values_become_a_hundred_that_span_them() {
        let mut metrics = Metrics::default();
        (0..1_000).rev().for_each(|value| metrics.observe(None, "EventToStaged", Unit::Milliseconds, value));
        let values = lines(&mut metrics)[0]["EventToStaged"].as_array().cloned().expect("a list");
        assert_eq!((values.len(), &values[0], &values[99]), (100, &json!(0), &json!(999)));
    }
}
