//! Patterns: filling in and fitting.

use lanyard_model::directory::{Device, User};
use lanyard_ra::pattern::{Pattern, Records, Variable};
use proptest::prelude::*;

use crate::support::*;

fn fits(pattern: &str, text: &str) -> bool {
    Pattern::parse(pattern).unwrap().fits(&Records { organization: "Example", user: None, device: None }, text)
}

#[test]
fn without_a_record_a_variable_stands_for_any_text_but_none() {
    for (pattern, text, expected) in [
        ("{device.name}", "x", true),
        ("{device.name}", "", false),
        ("a{device.name}", "a", false),
        ("a{device.name}", "ab", true),
        ("{device.name}.example.org", "a.example.org", true),
        ("{device.name}.example.org", ".example.org", false),
        ("{device.name}.example.org", "a.example.org.evil", false),
        ("{device.name}.example.org", "a.example.org.example.org", true),
        ("{device.name}-{device.serial}", "a-b-c", true),
        ("{device.name}-{device.serial}", "a-", false),
        ("{device.name}-{device.serial}", "-b", false),
        ("{device.name}{device.serial}", "a", false),
        ("{device.name}{device.serial}", "äö", true),
        ("x{any}y{any}x", "x1yx", false),
        ("x{any}y{any}x", "x1y2x", true),
        ("x{any}y{any}x", "xyyyx", true),
        ("{organization}", "Example", true),
        ("{organization}", "Examples", false),
        ("{organization}", "example", false),
        ("\\{any\\}", "{any}", true),
    ] {
        assert_eq!(fits(pattern, text), expected, "{pattern} and {text}");
    }
}

#[test]
fn what_a_record_tells_must_stand_there() {
    let device = device();
    let records = Records { organization: "Example", user: None, device: Some(&device) };
    let pattern = Pattern::parse("{device.name}-{user.name}").unwrap();
    assert!(pattern.fits(&records, "laptop-7-jo"));
    assert!(!pattern.fits(&records, "laptop-8-jo"));
    assert_eq!(pattern.expand(&records), Err(Variable::UserName));
    let silent = Device { name: None, ..device.clone() };
    let records = Records { device: Some(&silent), ..records };
    assert!(pattern.fits(&records, "anything-jo"), "a record that does not tell leaves the variable open");
}

#[test]
fn patterns_that_cannot_be_are_refused_with_the_known_variables() {
    for (pattern, part) in [
        ("", "empty"),
        ("{}", "{device.name}"),
        ("{device.name", "no closing"),
        ("{device.color}", "'{device.color}' is not a variable"),
        ("{Device.Name}", "not a variable"),
        ("a}", "no opening"),
        ("a\\", "backslash"),
        ("a\nb", "control"),
    ] {
        let problem = Pattern::parse(pattern).unwrap_err();
        assert!(problem.contains(part), "{pattern:?}: {problem}");
    }
}

#[test]
fn matching_takes_linear_time() {
    let pattern = format!("{}b", "{any}a".repeat(50));
    let text = "a".repeat(1_000_000);
    assert!(!fits(&pattern, &text));
}

fn pieces() -> impl Strategy<Value = Vec<String>> {
    let variable = prop::sample::select(Variable::ALL.to_vec()).prop_map(|v| v.to_string());
    let literal = "[a-zA-Z0-9 .@-]{1,6}";
    prop::collection::vec(prop_oneof![variable, literal.prop_map(String::from)], 1..8)
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of("\\PC{1,12}")
}

proptest! {
    #[test]
    fn what_was_filled_in_fits(pieces in pieces(), values in prop::collection::vec(text(), 7), known in any::<[bool; 2]>()) {
        let user = User {
            display_name: values[0].clone(), upn: values[1].clone(), email: values[2].clone(), id: values[3].clone(), ..user()
        };
        let device = Device {
            name: values[4].clone(), dns_name: values[5].clone(), serial: values[6].clone(), ..device()
        };
        let records = Records {
            organization: "Example",
            user: known[0].then_some(&user),
            device: known[1].then_some(&device),
        };
        let pattern = Pattern::parse(&pieces.concat()).unwrap();
        if let Ok(text) = pattern.expand(&records) {
            prop_assert!(pattern.fits(&records, &text));
            // And with nothing on record, when every variable is open.
            let open = Records { organization: "Example", ..Records::default() };
            prop_assert!(pattern.fits(&open, &text));
        }
    }

    #[test]
    fn any_filling_of_the_gaps_fits(pieces in pieces(), filling in "\\PC{1,12}") {
        let text: String = pieces
            .iter()
            .map(|piece| match piece.as_str() {
                "{organization}" => "Example",
                variable if variable.starts_with('{') => &filling,
                literal => literal,
            })
            .collect();
        prop_assert!(fits(&pieces.concat(), &text), "{pieces:?} {text}");
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,40}") {
        let _ = Pattern::parse(&text);
    }
}
