//! The authentication policies (MS-MDE2, section 2.2.9.1).

/// How users prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthPolicy {
    /// User name and password.
    OnPremise,
    /// A web page gives out a token.
    Federated,
    /// A certificate of a provisioning package.
    Certificate,
}

impl AuthPolicy {
    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnPremise => "OnPremise",
            Self::Federated => "Federated",
            Self::Certificate => "Certificate",
        }
    }

    /// The policy of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::OnPremise, Self::Federated, Self::Certificate].into_iter().find(|policy| policy.name() == name)
    }
}
