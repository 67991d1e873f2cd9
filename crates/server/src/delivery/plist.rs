//! Property lists in XML, as Apple's configuration profiles are written.

use base64::{Engine, engine::general_purpose::STANDARD};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
                    \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n";

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Keys in the order they are written.
    Dictionary(Vec<(&'static str, Value)>),
    /// Values.
    Array(Vec<Value>),
    /// Text.
    Text(String),
    /// A number.
    Integer(i64),
    /// Yes or no.
    Boolean(bool),
    /// Octets.
    Data(Vec<u8>),
}

impl Value {
    /// Text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The whole document.
    #[must_use]
    pub fn document(&self) -> Vec<u8> {
        let mut out = HEAD.to_owned();
        self.write(&mut out);
        out.push_str("</plist>\n");
        out.into_bytes()
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Dictionary(entries) => {
                out.push_str("<dict>\n");
                for (key, value) in entries {
                    element(out, "key", key);
                    value.write(out);
                }
                out.push_str("</dict>\n");
            }
            Self::Array(values) => {
                out.push_str("<array>\n");
                values.iter().for_each(|value| value.write(out));
                out.push_str("</array>\n");
            }
            Self::Text(text) => element(out, "string", text),
            Self::Integer(number) => element(out, "integer", &number.to_string()),
            Self::Boolean(true) => out.push_str("<true/>\n"),
            Self::Boolean(false) => out.push_str("<false/>\n"),
            Self::Data(octets) => element(out, "data", &STANDARD.encode(octets)),
        }
    }
}

fn element(out: &mut String, name: &str, text: &str) {
    out.push_str(&format!("<{name}>"));
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // XML 1.0 has no form for control characters.
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out.push_str(&format!("</{name}>\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_xml_is_escaped() {
        let value = Value::Dictionary(vec![
            ("a", Value::text("<b>&\u{7}")),
            ("c", Value::Array(vec![Value::Boolean(true), Value::Integer(-1), Value::Data(vec![0, 255])])),
        ]);
        let text = String::from_utf8(value.document()).unwrap();
        assert!(text.contains("<key>a</key>\n<string>&lt;b&gt;&amp;\u{fffd}</string>\n"), "{text}");
        assert!(text.contains("<array>\n<true/>\n<integer>-1</integer>\n<data>AP8=</data>\n</array>"), "{text}");
    }
}
