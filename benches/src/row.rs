//! One order as a JSON line: nested objects and lists, zoned timestamps, dates, booleans, nulls, escapes and letters
//! beyond ASCII, about 366 bytes.
//!
//! An order is a pure function of (seed, partition, offset), so the same rows can be laid out in any number of files.

use crate::random::Random;
use crate::truth::Truth;

const FIRST_NAMES: [&str; 8] = ["Anna", "Zoë", "Łukasz", "Mei 美", "Óscar", "Fatma", "Søren", "Дарья"];
const LAST_NAMES: [&str; 8] = ["Müller", "Nguyễn", "O'Hara", "Kowalska", "García Márquez", "田中", "Ørsted", "Smith"];
const CITIES: [(&str, &str); 8] = [
    ("São Paulo", "BR"),
    ("Zürich", "CH"),
    ("Köln", "DE"),
    ("Reykjavík", "IS"),
    ("München", "DE"),
    ("Kraków", "PL"),
    ("東京", "JP"),
    ("Austin", "US"),
];
/// As it stands in the file, and what it means.
const NOTES: [(&str, &str); 5] = [
    (r#"she said \"ring twice\""#, "she said \"ring twice\""),
    (r"C:\\orders\\new", r"C:\orders\new"),
    (r"line one\nline two\tend", "line one\nline two\tend"),
    (r"caf\u00e9 \ud83d\ude80 ok", "café 🚀 ok"),
    ("left at the door 🚪", "left at the door 🚪"),
];
const COUPONS: [&str; 3] = ["SPRING", "WELCOME10", "FRIENDS"];
/// How many items an order has, drawn from evenly.
const ITEMS: [i64; 10] = [1, 1, 1, 1, 1, 1, 1, 2, 2, 3];
/// Minutes east of Greenwich.
const ZONES: [i64; 4] = [0, 60, -300, 330];
/// 2026-01-01T00:00:00Z in milliseconds since 1970.
const FIRST_CREATED_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;

/// Appends the order of this place to `out` as one JSON line with its line end, and gives the truth about it.
pub fn write(out: &mut Vec<u8>, seed: u64, partition: u64, offset: u64) -> Truth {
    let start = out.len();
    let random = &mut Random::of(seed, &[partition, offset]);
    let order_id = (partition * 1_000_000_000 + offset) as i64;
    let mut truth = Truth { rows: 1, order_ids: order_id, ..Truth::default() };

    out.extend_from_slice(b"{\"order_id\":");
    number(out, order_id);
    customer(out, random, &mut truth);
    let net = items(out, random, &mut truth);
    let tax = net * 19 / 100;
    out.extend_from_slice(b"],\"totals\":{\"net\":");
    cents(out, net);
    out.extend_from_slice(b",\"tax\":");
    cents(out, tax);
    out.extend_from_slice(b",\"gross\":");
    cents(out, net + tax);
    truth.gross_cents = net + tax;
    times(out, random, offset, &mut truth);
    rest(out, random, &mut truth);
    truth.bytes = (out.len() - start) as i64;
    truth
}

fn customer(out: &mut Vec<u8>, random: &mut Random, truth: &mut Truth) {
    let (first, last) = (*random.pick(&FIRST_NAMES), *random.pick(&LAST_NAMES));
    let (city, country) = *random.pick(&CITIES);
    truth.name_chars = (first.chars().count() + 1 + last.chars().count()) as i64;
    out.extend_from_slice(b",\"customer\":{\"id\":");
    number(out, random.below(5_000_000) as i64);
    out.extend_from_slice(b",\"name\":\"");
    out.extend_from_slice(first.as_bytes());
    out.push(b' ');
    out.extend_from_slice(last.as_bytes());
    out.extend_from_slice(b"\",\"address\":{\"city\":\"");
    out.extend_from_slice(city.as_bytes());
    out.extend_from_slice(b"\",\"zip\":\"");
    padded(out, random.below(100_000) as i64, 5);
    out.extend_from_slice(b"\",\"country\":\"");
    out.extend_from_slice(country.as_bytes());
    out.extend_from_slice(b"\"}},\"items\":[");
}

/// One to three items; gives their price in cents.
fn items(out: &mut Vec<u8>, random: &mut Random, truth: &mut Truth) -> i64 {
    let mut net = 0;
    truth.items = *random.pick(&ITEMS);
    for n in 0..truth.items {
        if n > 0 {
            out.push(b',');
        }
        let (quantity, price) = (1 + random.below(9) as i64, 1 + random.below(20_000) as i64);
        out.extend_from_slice(b"{\"sku\":\"SKU-");
        padded(out, random.below(50_000) as i64, 6);
        out.extend_from_slice(b"\",\"quantity\":");
        number(out, quantity);
        out.extend_from_slice(b",\"price\":");
        cents(out, price);
        out.push(b'}');
        truth.quantity += quantity;
        net += quantity * price;
    }
    net
}

/// `created_at` with a zone, half a second or so after the order before it, and `shipped`, a date or null.
fn times(out: &mut Vec<u8>, random: &mut Random, offset: u64, truth: &mut Truth) {
    let created_ms = FIRST_CREATED_MS + offset as i64 * 487 + random.below(400) as i64;
    truth.created_ms = created_ms - FIRST_CREATED_MS;
    out.extend_from_slice(b"},\"created_at\":\"");
    timestamp(out, created_ms, *random.pick(&ZONES));
    out.extend_from_slice(b"\",\"shipped\":");
    if random.chance(60) {
        let days = created_ms.div_euclid(DAY_MS) + random.below(30) as i64;
        truth.shipped = 1;
        truth.shipped_days = days;
        out.push(b'"');
        date(out, days);
        out.push(b'"');
    } else {
        out.extend_from_slice(b"null");
    }
}

fn rest(out: &mut Vec<u8>, random: &mut Random, truth: &mut Truth) {
    let paid = random.chance(80);
    truth.paid = i64::from(paid);
    out.extend_from_slice(if paid { b",\"paid\":true" } else { b",\"paid\":false" });
    out.extend_from_slice(b",\"coupon\":");
    if random.chance(10) {
        truth.coupons = 1;
        let coupon = *random.pick(&COUPONS);
        quoted(out, coupon);
    } else {
        out.extend_from_slice(b"null");
    }
    out.extend_from_slice(b",\"note\":");
    if random.chance(30) {
        let (written, meant) = *random.pick(&NOTES);
        truth.note_chars = meant.chars().count() as i64;
        quoted(out, written);
    } else {
        out.extend_from_slice(b"null");
    }
    out.extend_from_slice(b"}\n");
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// A number of at least 0. By hand: a formatter would cost half of the generator's time.
fn number(out: &mut Vec<u8>, value: i64) {
    padded(out, value, 1);
}

/// A number of at least 0 with leading zeros up to `width`, at most 20.
fn padded(out: &mut Vec<u8>, value: i64, width: usize) {
    let mut digits = [b'0'; 20];
    let (mut at, mut left) = (digits.len(), value.unsigned_abs());
    while left > 0 {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

/// An amount with two decimals.
fn cents(out: &mut Vec<u8>, amount: i64) {
    number(out, amount / 100);
    out.push(b'.');
    padded(out, amount % 100, 2);
}

/// ISO 8601 with milliseconds and a zone, `Z` for Greenwich.
fn timestamp(out: &mut Vec<u8>, ms: i64, zone_minutes: i64) {
    let local = ms + zone_minutes * 60_000;
    date(out, local.div_euclid(DAY_MS));
    let of_day = local.rem_euclid(DAY_MS);
    out.push(b'T');
    padded(out, of_day / 3_600_000, 2);
    out.push(b':');
    padded(out, of_day / 60_000 % 60, 2);
    out.push(b':');
    padded(out, of_day / 1_000 % 60, 2);
    out.push(b'.');
    padded(out, of_day % 1_000, 3);
    if zone_minutes == 0 {
        out.push(b'Z');
        return;
    }
    out.push(if zone_minutes < 0 { b'-' } else { b'+' });
    padded(out, zone_minutes.abs() / 60, 2);
    out.push(b':');
    padded(out, zone_minutes.abs() % 60, 2);
}

/// `YYYY-MM-DD` of days since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms": civil_from_days).
fn date(out: &mut Vec<u8>, days: i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    padded(out, year, 4);
    out.push(b'-');
    padded(out, month, 2);
    out.push(b'-');
    padded(out, day_of_year - (153 * shifted_month + 2) / 5 + 1, 2);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_dates_and_times_are_written_right() {
        assert_eq!(text(|out| number(out, 0)), "0");
        assert_eq!(text(|out| padded(out, 42, 5)), "00042");
        assert_eq!(text(|out| cents(out, 1205)), "12.05");
        assert_eq!(text(|out| date(out, 0)), "1970-01-01");
        assert_eq!(text(|out| date(out, 20_512)), "2026-02-28");
        assert_eq!(text(|out| date(out, 20_513)), "2026-03-01");
        assert_eq!(text(|out| timestamp(out, FIRST_CREATED_MS, 0)), "2026-01-01T00:00:00.000Z");
        assert_eq!(text(|out| timestamp(out, FIRST_CREATED_MS + 7, -300)), "2025-12-31T19:00:00.007-05:00");
        assert_eq!(text(|out| timestamp(out, FIRST_CREATED_MS, 330)), "2026-01-01T05:30:00.000+05:30");
    }

    #[test]
    fn an_order_depends_on_its_place_alone_and_has_about_366_bytes() {
        let line = |seed, offset| text(|out| _ = write(out, seed, 3, offset));
        assert_eq!(line(1, 5), line(1, 5));
        assert_ne!(line(1, 5), line(2, 5));
        let mut all = Vec::new();
        let mut truth = Truth::default();
        for offset in 0..10_000 {
            truth += write(&mut all, 1, 0, offset);
        }
        assert_eq!(all.iter().filter(|byte| **byte == b'\n').count(), 10_000);
        assert_eq!(truth.bytes, all.len() as i64);
        let each = all.len() / 10_000;
        assert!((360..373).contains(&each), "{each} bytes a row");
    }
}
