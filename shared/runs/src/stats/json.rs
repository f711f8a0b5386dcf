//! A JSON object written with numbers as they are given: decimals keep every digit.

use std::fmt::{self, Display};

#[derive(Default)]
pub(super) struct Object(Vec<(String, Member)>);

enum Member {
    Raw(String),
    Object(Object),
}

impl Object {
    /// Adds a member whose value is JSON already.
    pub(super) fn raw(&mut self, name: &str, json: String) {
        self.0.push((name.to_owned(), Member::Raw(json)));
    }

    pub(super) fn object(&mut self, name: &str, object: Self) {
        self.0.push((name.to_owned(), Member::Object(object)));
    }

    pub(super) fn object_if_filled(&mut self, name: &str, object: Self) {
        if !object.0.is_empty() {
            self.object(name, object);
        }
    }
}

impl Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, member)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}:", text(name))?;
            match member {
                Member::Raw(json) => f.write_str(json)?,
                Member::Object(object) => object.fmt(f)?,
            }
        }
        f.write_str("}")
    }
}

/// A JSON string.
pub(super) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
