//! strongSwan's `swanctl`: a folder that it reads in place of `/etc/swanctl`, because it finds keys by folder alone.
//!
//! ```text
//! swanctl.conf   the connection
//! private/       a link to the key in the store
//! x509ca/        the root, and the issuers that the gateway may need
//! ```

use std::{fs, os::unix::fs::symlink, path::Path};

use lanyard_pki::{certificate::Certificate, pem};

use super::program::Paths;
use crate::{
    error::AgentError,
    store::{Identity, LocalId, files},
};

const KEYS: &str = "private";
const AUTHORITIES: &str = "x509ca";

/// The connection. Names of sections have no dots.
pub(super) fn connection(gateway: &str, gateway_name: &str, who: &str, paths: &Paths<'_>) -> String {
    let name: String = gateway_name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let (client, roots) = (paths.client.display(), paths.roots.display());
    format!(
        "connections {{\n  lanyard-{name} {{\n    version = 2\n    remote_addrs = {gateway}\n    vips = 0.0.0.0, ::\n\
         \x20   local {{\n      auth = pubkey\n      certs = {client}\n      id = \"{who}\"\n    }}\n\
         \x20   remote {{\n      auth = pubkey\n      cacerts = {roots}\n      id = {gateway_name}\n    }}\n\
         \x20   children {{\n      lanyard-{name} {{\n        remote_ts = 0.0.0.0/0, ::/0\n      }}\n    }}\n  }}\n}}\n"
    )
}

/// What lies beside it. The key is not copied: a link leads to it, and to the next one after a renewal.
pub(super) fn place(folder: &Path, key: &Path, identity: &Identity, root: &Certificate) -> Result<(), AgentError> {
    let authorities = folder.join(AUTHORITIES);
    if authorities.exists() {
        files::remove_folder(&authorities)?;
    }
    files::make_folder(&authorities)?;
    let issuers = identity.chain.iter().filter(|one| !one.is_self_issued());
    for (number, one) in std::iter::once(root).chain(issuers).enumerate() {
        files::replace(&authorities.join(format!("{number}.pem")), pem::encode(pem::CERTIFICATE, one.der()).as_bytes())?;
    }
    let keys = folder.join(KEYS);
    files::make_folder(&keys)?;
    let (link, fresh) = (keys.join("key.pem"), keys.join(format!(".new-{}-{}", std::process::id(), LocalId::generate()?)));
    let linked = symlink(key, &fresh).and_then(|()| fs::rename(&fresh, &link));
    linked.map_err(AgentError::io("writing", &link))
}
