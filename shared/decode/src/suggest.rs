//! "Did you mean": the known word, name of a column or of a setting, that an unknown one is most like.

/// The candidate that `word` is most likely a slip of, if one is near enough. Case, `_`, `-` and Auto Loader's prefix
/// `cloudFiles.` do not count, so that `cloudFiles.schemaHints` finds `schema_hints`.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let plain = plain(word);
    let reach = (plain.len() / 3).max(1);
    let with_distance = candidates.iter().map(|candidate| (distance(&plain, &self::plain(candidate)), *candidate));
    with_distance
        .filter(|(distance, _)| *distance <= reach)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, found)| found)
}

/// `, did you mean 'x'?`, or nothing.
pub fn did_you_mean(word: &str, candidates: &[&str]) -> String {
    nearest(word, candidates).map(|found| format!(", did you mean '{found}'?")).unwrap_or_default()
}

/// The word's letters and digits that count. Cut, as a name of a kilobyte is like no other.
fn plain(word: &str) -> Vec<char> {
    let lower = word.to_lowercase();
    let own = lower.strip_prefix("cloudfiles.").unwrap_or(&lower);
    own.chars().filter(|c| !matches!(c, '_' | '-')).take(64).collect()
}

/// How many letters must be put in, left away, changed or swapped with their neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_other_spellings_and_leaves_strangers_alone() {
        let known = ["schema_hints", "source", "settle_time", "z_order_by", "table"];
        let cases = [
            ("shema_hints", Some("schema_hints")),
            ("cloudFiles.schemaHints", Some("schema_hints")),
            ("settle-time", Some("settle_time")),
            ("zorderby", Some("z_order_by")),
            ("soruce", Some("source")),
            ("tabel", Some("table")),
            ("colour", None),
            ("", None),
            (&"x".repeat(10_000), None),
        ];
        for (word, found) in cases {
            assert_eq!(nearest(word, &known), found, "{word}");
        }
    }

    #[test]
    fn a_swap_is_one_step() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, steps) in [("ab", "ba", 1), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("x", "x", 0)]
        {
            assert_eq!(distance(&chars(a), &chars(b)), steps, "{a} {b}");
        }
    }
}
