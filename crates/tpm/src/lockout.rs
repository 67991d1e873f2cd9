//! The protection against guessing, which the TPM itself keeps (TPM 2.0 Library, part 1, "Dictionary Attack Protection").

use serde::Serialize;
use tss_esapi::{
    Context,
    constants::{CapabilityType, PropertyTag},
    structures::CapabilityData,
};

use crate::error::TpmError;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lockout {
    /// Wrong PINs that count (`TPM_PT_LOCKOUT_COUNTER`), of all keys of this TPM.
    pub failed: u32,
    /// At how many it locks (`TPM_PT_MAX_AUTH_FAIL`).
    pub max: u32,
    /// Seconds after which one is forgotten (`TPM_PT_LOCKOUT_INTERVAL`).
    pub interval: u32,
    /// Seconds after which the owner of the lock may try again (`TPM_PT_LOCKOUT_RECOVERY`).
    pub recovery: u32,
    /// Whether it is locked now.
    pub locked: bool,
    /// Seconds until the next attempt, at most: since when the first interval runs, no TPM tells.
    pub wait: u64,
}

impl Lockout {
    /// Asks the TPM, always anew.
    pub fn read(context: &mut Context) -> Result<Self, TpmError> {
        let mut property = |tag: PropertyTag| -> Result<u32, TpmError> {
            let (found, _) =
                context.execute_without_session(|ctx| ctx.get_capability(CapabilityType::TpmProperties, tag.into(), 1))?;
            let CapabilityData::TpmProperties(list) = found else { return Ok(0) };
            Ok(list.into_iter().find(|one| one.property() == tag).map_or(0, |one| one.value()))
        };
        let failed = property(PropertyTag::LockoutCounter)?;
        let max = property(PropertyTag::MaxAuthFail)?;
        let interval = property(PropertyTag::LockoutInterval)?;
        Ok(Self::of(failed, max, interval, property(PropertyTag::LockoutRecovery)?))
    }

    const fn of(failed: u32, max: u32, interval: u32, recovery: u32) -> Self {
        // An interval of 0 turns the protection off.
        let locked = interval > 0 && failed >= max;
        let wait = if locked { (failed - max) as u64 * interval as u64 + interval as u64 } else { 0 };
        Self { failed, max, interval, recovery, locked, wait }
    }

    /// How many more wrong PINs it takes.
    pub const fn left(&self) -> u32 {
        self.max.saturating_sub(self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_what_it_takes_to_get_below_the_limit() {
        assert!(!Lockout::of(2, 3, 60, 0).locked);
        assert_eq!(Lockout::of(2, 3, 60, 0).left(), 1);
        assert_eq!(Lockout::of(3, 3, 60, 0).wait, 60);
        assert_eq!(Lockout::of(5, 3, 60, 0).wait, 180);
        assert!(!Lockout::of(9, 3, 0, 0).locked, "without an interval nothing is ever locked");
    }
}
