//! Versions in dotted decimal, of protocols, applications and systems.

use std::{cmp::Ordering, fmt, str::FromStr};

/// One to four numbers: `6.0`, `10.0.22621.3155`. Missing numbers count as 0 when two are compared.
#[derive(Debug, Clone)]
pub struct Version(Vec<u32>);

/// The text is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no version of one to four numbers")]
pub struct NoVersion;

impl Version {
    /// A version of two numbers.
    #[must_use]
    pub fn of(major: u32, minor: u32) -> Self {
        Self(vec![major, minor])
    }

    fn number(&self, place: usize) -> u32 {
        self.0.get(place).copied().unwrap_or(0)
    }
}

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
        let numbers: Result<Vec<u32>, NoVersion> = text
            .splitn(5, '.')
            .map(|part| if digits(part) { part.parse().map_err(|_| NoVersion) } else { Err(NoVersion) })
            .collect();
        numbers.and_then(|numbers| if numbers.len() > 4 { Err(NoVersion) } else { Ok(Self(numbers)) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, number) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            write!(f, "{number}")?;
        }
        Ok(())
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        (0..4).map(|place| self.number(place).cmp(&other.number(place))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_number_by_number() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("10.0.22621.3155") > version("10.0.9200"));
        assert!(version("4") == version("4.0") && version("10") > version("9.9"));
        assert_eq!(version("10.0.22621.3155").to_string(), "10.0.22621.3155");
        for wrong in ["", ".", "1.", "a", "1.2.3.4.5", "+1", "1 ", "4294967296"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }
}
