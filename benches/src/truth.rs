//! The truth about generated orders: figures that a reader of the table must find again, whatever wrote the table.

use std::fmt::Write as _;
use std::ops::AddAssign;

/// Sums over orders. Money is in cents, so that the sums are exact; a table holds it as doubles of two decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Orders.
    pub rows: i64,
    /// Bytes of their JSON lines, line ends included.
    pub bytes: i64,
    /// Sum of `order_id`.
    pub order_ids: i64,
    /// Elements of `items`.
    pub items: i64,
    /// Sum of `items[].quantity`.
    pub quantity: i64,
    /// Sum of `totals.gross` in cents.
    pub gross_cents: i64,
    /// Sum of `created_at` in milliseconds since 2026: since 1970, ten million orders would not fit.
    pub created_ms: i64,
    /// Orders whose `shipped` is a date.
    pub shipped: i64,
    /// Sum of those dates in days since 1970.
    pub shipped_days: i64,
    /// Orders with `paid` true.
    pub paid: i64,
    /// Orders whose `coupon` is not null.
    pub coupons: i64,
    /// Characters of all `note`s, escapes resolved.
    pub note_chars: i64,
    /// Characters of all `customer.name`s.
    pub name_chars: i64,
}

/// Each figure's name and the SQL (as DuckDB reads it) that finds it in a table of orders.
pub const FIGURES: [(&str, &str); 12] = [
    ("rows", "count(*)"),
    ("order_ids", "sum(order_id)"),
    ("items", "sum(len(items))"),
    ("quantity", "sum(list_sum(list_transform(items, lambda x: x.quantity)))"),
    ("gross_cents", "sum(round(totals.gross * 100)::BIGINT)"),
    ("created_ms", "sum(epoch_ms(created_at) - 1767225600000)"),
    ("shipped", "count(shipped)"),
    ("shipped_days", "sum(datediff('day', DATE '1970-01-01', shipped))"),
    ("paid", "count(*) FILTER (paid)"),
    ("coupons", "count(coupon)"),
    ("note_chars", "sum(length(note))"),
    ("name_chars", "sum(length(customer.name))"),
];

impl Truth {
    /// The figures in the order of [`FIGURES`].
    pub fn figures(&self) -> [i64; 12] {
        [
            self.rows,
            self.order_ids,
            self.items,
            self.quantity,
            self.gross_cents,
            self.created_ms,
            self.shipped,
            self.shipped_days,
            self.paid,
            self.coupons,
            self.note_chars,
            self.name_chars,
        ]
    }

    /// One line of JSON: `bytes` and every figure.
    pub fn to_json(&self) -> String {
        let mut json = format!("{{\"bytes\":{}", self.bytes);
        for ((name, _), value) in FIGURES.iter().zip(self.figures()) {
            // Writing to a string cannot fail.
            let _ = write!(json, ",\"{name}\":{value}");
        }
        json.push('}');
        json
    }
}

/// The select list that computes every figure, in the order of [`FIGURES`].
pub fn select_list() -> String {
    FIGURES.map(|(name, sql)| format!("coalesce({sql}, 0)::BIGINT AS {name}")).join(", ")
}

impl AddAssign for Truth {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.order_ids += other.order_ids;
        self.items += other.items;
        self.quantity += other.quantity;
        self.gross_cents += other.gross_cents;
        self.created_ms += other.created_ms;
        self.shipped += other.shipped;
        self.shipped_days += other.shipped_days;
        self.paid += other.paid;
        self.coupons += other.coupons;
        self.note_chars += other.note_chars;
        self.name_chars += other.name_chars;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_reaches_every_figure() {
        let ones = Truth {
            rows: 1,
            bytes: 1,
            order_ids: 1,
            items: 1,
            quantity: 1,
            gross_cents: 1,
            created_ms: 1,
            shipped: 1,
            shipped_days: 1,
            paid: 1,
            coupons: 1,
            note_chars: 1,
            name_chars: 1,
        };
        let mut sum = ones;
        sum += ones;
        assert_eq!(sum.figures(), [2; 12]);
        assert_eq!(sum.bytes, 2);
        assert!(sum.to_json().starts_with("{\"bytes\":2,\"rows\":2,"), "{}", sum.to_json());
    }
}
